"""`python -m bench.recorded`: how much smaller than raw a recorded Claude Code session is stored, and what takes room.

The captured session of three turns (its prompt, tools, headers and answers), continued in its own shape: each turn adds
what its last turn added, with other ids and words, and the tool's result has the size asked for. Sessions are of a team
each, so that they share nothing, and follow one another, a turn each half minute. Room is what forty sessions add to
tables that hold ten already, so that pages begun do not count.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.bodies import encode
from bench.conversations import MARK, sentence, settled, source
from proxy_project.embedded.postgres import EmbeddedPostgres

FIRST, MORE = 10, 40
START = datetime(2026, 11, 10, tzinfo=UTC)
PAUSE = timedelta(seconds=30)
MICROSECONDS = 1_000_000
WANTED = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.recorded", description=__doc__)
    parser.add_argument("--turns", type=int, default=20, help="turns of each session (20)")
    parser.add_argument("--results", type=int, nargs=2, default=(1_000, 20_000), help="bytes of a tool's result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        os.chmod(name, 0o755)
        server = EmbeddedPostgres(Path(name) / "data")
        address = server.start()
        try:
            place = f"host={quote(str(address.directory), safe='')}&port={address.port}"
            os.environ |= {
                "DATABASE_URL": f"postgresql://turnlog@/turnlog?{place}",
                "TURNLOG_DATA_DIR": name,
                "DJANGO_SETTINGS_MODULE": "proxy_project.settings",
            }
            told = measure(options.turns, tuple(options.results))
            json.dump(told, sys.stdout, indent=2)
            print()
            sys.exit(0 if told["ratio"] >= WANTED else 1)
        finally:
            server.stop(seconds=10)


def measure(turns: int, results: tuple[int, int]) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from gateway.history.statistics import read_statistics
    from gateway.history.writer import HistoryWriter
    from gateway.recording.rows import RowBuilder

    call_command("migrate", verbosity=0)
    connection.ensure_connection()
    builder, writer = RowBuilder(), HistoryWriter(connection.connection)
    seen = []
    for numbers in (range(FIRST), range(FIRST, FIRST + MORE)):
        for number in numbers:
            rows = [builder.build(recorded) for recorded in exchanges(number, turns, results)]
            writer.ensure_months(rows)
            with connection.connection.transaction():
                writer.write(rows)
            writer.settle(rows)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        seen.append(read_statistics())
    before, after = seen
    raw, stored = after.raw_bytes - before.raw_bytes, after.stored_bytes - before.stored_bytes
    return {
        "turns_of_a_session": turns,
        "raw_bytes_of_a_session": raw // MORE,
        "stored_bytes_of_a_session": stored // MORE,
        "ratio": round(raw / stored, 1),
        "bytes_of_a_turn": {
            table: (size - before.tables.get(table, 0)) // (MORE * turns) for table, size in after.tables.items()
        },
    }


def bodies(captured: list[dict[str, Any]], session: int, turns: int, results: tuple[int, int]) -> Iterator[bytes]:
    """The request bodies of one session of that many turns."""
    words = random.Random(session)
    body = captured[-1]["request"]["body"]
    system, first, *_ = body["messages"]
    called, result = body["messages"][-2:]
    messages = [system, first | {"content": f"{first['content']} {sentence(words, 20)}"}]
    messages += [called_again(called, 0, session, words), answered(result, 0, session, words, results)]
    for turn in range(1, turns + 1):
        last = json.loads(json.dumps(messages[-1]))
        last["content"][-1] |= MARK
        yield encode(body | {"messages": [*(settled(one) for one in messages[:-1]), last]})
        messages += [called_again(called, turn, session, words), answered(result, turn, session, words, results)]


def called_again(called: dict[str, Any], turn: int, session: int, words: random.Random) -> dict[str, Any]:
    thinking, said, use = called["content"]
    signature = words.randbytes(len(thinking["signature"]) * 3 // 4).hex()[: len(thinking["signature"])]
    return called | {
        "content": [
            thinking | {"thinking": sentence(words, 12), "signature": signature},
            said | {"text": sentence(words, 12)},
            use | {"id": tool_id(session, turn), "input": use["input"] | {"command": sentence(words, 6)}},
        ]
    }


def answered(
    result: dict[str, Any], turn: int, session: int, words: random.Random, results: tuple[int, int]
) -> dict[str, Any]:
    block = {name: value for name, value in result["content"][0].items() if name != "cache_control"}
    text = source(words, words.randint(*results))
    return result | {"content": [block | {"tool_use_id": tool_id(session, turn), "content": text}]}


def tool_id(session: int, turn: int) -> str:
    return f"toolu_{session:06}{turn:018}"


def exchanges(session: int, turns: int, results: tuple[int, int]) -> Iterator[Any]:
    from gateway.recording.assemble import Recorded
    from gateway.recording.records import Admission, End, ResponseHead
    from tests.transcripts.captured import FOLDER

    lines = (FOLDER / "claude_three_turns.jsonl").read_bytes().split(b"\n")
    captured = [json.loads(line) for line in lines if line]
    for number, body in enumerate(bodies(captured, session, turns, results)):
        at = START + PAUSE * (session * turns + number)
        record = captured[number % len(captured)]
        answer = record["response"]["body"].encode()
        asked = [
            (name.encode(), (f"{session:032x}" if name == "X-Claude-Code-Session-Id" else value).encode())
            for name, value in record["request"]["headers"]
        ]
        head = [
            (name.encode(), (f"req_{session:08x}{number:016x}" if name == "request-id" else value).encode())
            for name, value in record["response"]["headers"]
        ]
        chunks = [event + b"\n\n" for event in answer.split(b"\n\n") if event]
        yield Recorded(
            exchange_id=exchange_id(at),
            admission=Admission(
                started_us=int(at.timestamp()) * MICROSECONDS, method="POST", path="/v1/messages", query="beta=true",
                dialect="anthropic", provider="anthropic", access_key="bench", team=f"team {session}",
                client_address="127.0.0.1", http_version="1.1", headers=asked, body_bytes=len(body),
            ),
            end=End(at_us=2 * MICROSECONDS, outcome="completed"),
            body=body,
            head=ResponseHead(MICROSECONDS, 200, head),
            response=b"".join(chunks),
            times=[MICROSECONDS + 20_000 * place for place in range(len(chunks))],
            sizes=[len(chunk) for chunk in chunks],
        )  # fmt: skip


def exchange_id(at: datetime) -> bytes:
    """A UUIDv7 of that time."""
    random_bits = int.from_bytes(os.urandom(10)) & ~(0xF << 76) & ~(0x3 << 62)
    return (int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | random_bits).to_bytes(16)


if __name__ == "__main__":
    main()
