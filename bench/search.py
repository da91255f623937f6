"""`python -m bench.search`: how long a search takes when there are many turns, and what can be found takes up.

A throwaway PostgreSQL with a row, an answer and a new text for each turn, in three months; words come as often as in
real source text. Each question is asked several times, in one process that has been warmed up; times are of `search`,
which finds, checks, counts and highlights the first page.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import statistics
import sys
import sysconfig
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from proxy_project.embedded.postgres import EmbeddedPostgres

MONTHS = (date(2026, 8, 1), date(2026, 9, 1), date(2026, 10, 1))
RARE, SELDOM = "zyzzogeton", "quokka"
SELDOM_EVERY = 500
TEAMS = ("", "red", "blue", "green")
INDEXES = ("searchtext_words", "searchtext_trigrams")
ASKED = 15
COPIES = 9

QUESTIONS = {
    "a word in most turns": "return",
    "a word in a fiftieth": None,
    "a word in 2 of 1 000 turns": SELDOM,
    "a word in ten turns": RARE,
    "a word in no turn": "nowhereatall",
    "two frequent words": "return self",
    "a frequent and a seldom word": f"return {SELDOM}",
    "a prefix": "quok*",
    "a piece in 2 of 1 000 turns": '"uokka hop"',
    "a piece in many turns": '"eturn sel"',
    "a piece in ten turns": '"zyzzogeto"',
    "a word, narrowed by model": "return model:claude-haiku-5-5",
    "a word, narrowed by key": "return key:key-7",
    "a word and a rare field": "return status:529",
    "a tool": "tool:bash",
    "a file": "path:file_77.py",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=1_000_000, help="how many, in tens (1000000)")
    parser.add_argument("--words", type=int, default=60, help="words of each turn's text (60)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        os.chmod(name, 0o755)
        settings = {"fsync": "off", "shared_buffers": "1GB", "maintenance_work_mem": "1GB", "max_wal_size": "8GB"}
        server = EmbeddedPostgres(Path(name) / "data", settings=settings)
        address = server.start()
        try:
            host = quote(str(address.directory), safe="")
            os.environ["DATABASE_URL"] = f"postgresql://turnlog@/turnlog?host={host}&port={address.port}"
            os.environ["TURNLOG_DATA_DIR"] = name
            json.dump(measure(options), sys.stdout, indent=2)
            print()
        finally:
            server.stop(seconds=10)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    frequencies = word_frequencies()
    began = time.monotonic()
    text_bytes = fill(options.turns, options.words, frequencies)
    tell(f"filled in {time.monotonic() - began:.0f} s")
    return {"turns": options.turns, "text_bytes": text_bytes, **sizes(text_bytes), "ms": ask(frequencies)}


def word_frequencies() -> Counter[str]:
    """Of the words in Python's own library."""
    import re

    counts: Counter[str] = Counter()
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        counts.update(re.findall(r"[a-z0-9_]{2,24}", file.read_text("utf-8", "replace").lower()))
    return counts


def fill(turns: int, length: int, frequencies: Counter[str]) -> int:
    """Rows, blobs and the projection, by COPY; the large indexes are built at the end, as they are for a restore."""
    from django.db import connection

    from gateway.history.partitions import create_partitions

    connection.ensure_connection()
    raw = connection.connection
    with connection.cursor() as cursor:
        create_partitions(cursor, MONTHS)
        cursor.execute("INSERT INTO gateway_scope (team) SELECT unnest(%s::text[])", [list(TEAMS[1:])])
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = ANY(%s)", [list(INDEXES)])
        definitions = [row[0] for row in cursor.fetchall()]
        cursor.execute("".join(f"DROP INDEX {name};" for name in INDEXES))
    text_bytes = done = 0
    turns //= 1 + COPIES
    for batch in batches(made(turns, length, frequencies), 20_000):
        for table in batch[0]:
            copy_rows(raw, table, [rows[table] for rows in batch])
        text_bytes += sum(len(rows["gateway_blob"][-1]) for rows in batch)
        done += len(batch)
        tell(f"{done} turns")
    with connection.cursor() as cursor:
        for copy in range(1, 1 + COPIES):
            copy_all(cursor, copy)
            tell(f"{done * (1 + copy)} turns")
        for definition in definitions:
            cursor.execute(definition)
        cursor.execute("VACUUM ANALYZE")
    return text_bytes * (1 + COPIES)


def copy_all(cursor: Any, copy: int) -> None:
    """Every turn once more, at the same time with another id: making a text takes longer than storing it."""
    from gateway.history.writer import COLUMNS

    changed = {
        "id": f"overlay(id::text placing '{0x8000 + copy:04x}' from 20 for 4)::uuid",
        "exchange_id": f"overlay(exchange_id::text placing '{0x8000 + copy:04x}' from 20 for 4)::uuid",
        "digest": f"substring(sha256(digest || '\\x{copy:02x}'::bytea) FROM 1 FOR 20)",
    }
    origin = {
        "gateway_requestlog": "substring(id::text FROM 20 FOR 4) = '8000'",
        "gateway_responselog": "substring(id::text FROM 20 FOR 4) = '8000'",
        "gateway_searchtext": "substring(exchange_id::text FROM 20 FOR 4) = '8000'",
        "gateway_blob": "epoch = 0",
    }
    for table, where in origin.items():
        names = [name for name, _ in (COLUMNS.get(table) or TREE_COLUMNS[table])]
        picked = [changed.get(name, "1" if name == "epoch" else name) for name in names]
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(picked)} FROM {table} WHERE {where}"
        )


def batches(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(items, size)):
        yield batch


def made(turns: int, length: int, frequencies: Counter[str]) -> Iterator[dict[str, tuple[Any, ...]]]:
    """One turn's rows by table."""
    from gateway.history.digests import Digests
    from gateway.history.search.text import labels_of, text_of, trigrams_of, words_of

    chance = random.Random(7)
    words, weights = zip(*frequencies.items(), strict=True)
    totals = list(itertools.accumulate(weights))
    templates = template_rows()
    whole = sum((next_month(month) - month).days for month in MONTHS)
    start = datetime(MONTHS[0].year, MONTHS[0].month, 1, tzinfo=UTC)
    for number in range(turns):
        at = start + timedelta(days=whole) * number / turns
        said = chance.choices(words, cum_weights=totals, k=length)
        if number % SELDOM_EVERY == 0:
            said[5:5] = [SELDOM, "hops"]
        if number == turns // 3:
            said.append(RARE)
        blocks: list[dict[str, Any]] = [{"type": "text", "text": " ".join(said)}]
        if number % 3 == 0:
            tool = {"command": "ls"} if number % 2 else {"file_path": f"/src/file_{number % 5000}.py"}
            blocks.append({"type": "tool_use", "id": "t", "name": "Bash" if number % 2 else "Read", "input": tool})
        value = {"role": "assistant", "content": blocks}
        data = json.dumps(value).encode()
        id = uuid.UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | number)
        month, scope, digest = (
            at.date().replace(day=1),
            number % len(TEAMS),
            Digests().blob(data + str(number).encode()),
        )
        text = text_of(value)
        found = sorted(words_of(text) | labels_of(value))
        yield {
            **rows_like(templates, id, at, number, scope),
            "gateway_blob": (month, scope, 0, len(data), 3, digest, b"\x00" + data),
            "gateway_searchtext": (
                month,
                scope,
                digest,
                id,
                3,
                " ".join(f"'{word}'" for word in found),
                trigrams_of(text),
            ),
        }


def tsvector(words: Sequence[str]) -> str:
    return " ".join(f"'{word}'" for word in words)


def next_month(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)


def template_rows() -> dict[str, list[Any]]:
    """A request and an answer as the loader writes them."""
    from gateway.recording.assemble import Recorded
    from gateway.recording.records import Admission, End, ResponseHead
    from gateway.recording.rows import RowBuilder

    admission = Admission(0, "POST", "/v1/messages", "", "anthropic", "anthropic", "", "", "127.0.0.1", "1.1", [], 2)
    answer = b'{"type":"message","model":"claude-opus-5-5","stop_reason":"end_turn","content":[]}'
    head = ResponseHead(900_000, 200, [(b"content-type", b"application/json")])
    recorded = Recorded(
        exchange_id=uuid.UUID(int=0).bytes, admission=admission, end=End(950_000, "completed"), body=b"{}", head=head,
        response=answer, times=[900_000], sizes=[len(answer)],
    )  # fmt: skip
    rows = RowBuilder().build(recorded)
    return {"gateway_requestlog": [*rows.request, 0], "gateway_responselog": list(rows.response)}


def rows_like(
    templates: dict[str, list[Any]], id: uuid.UUID, at: datetime, number: int, scope: int
) -> dict[str, tuple[Any, ...]]:
    from gateway.history.writer import COLUMNS

    changes = {
        "gateway_requestlog": {
            "id": id, "started_at": at, "team": TEAMS[scope], "scope": scope,
            "access_key": f"key-{number % 50}",
            "model": "claude-haiku-5-5" if number % 10 == 0 else "claude-opus-5-5",
            "client_version": f"2.1.{number % 9}",
            "status_code": 529 if number % 1000 == 0 else 200,
            "session_id": f"session-{number // 100}",
        },
        "gateway_responselog": {"id": id},
    }  # fmt: skip
    return {
        table: tuple(
            changes[table].get(name, value) for (name, _), value in zip(COLUMNS[table], templates[table], strict=True)
        )
        for table in changes
    }


TREE_COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "gateway_blob": (
        ("month", "date"), ("scope", "int4"), ("epoch", "int4"), ("size", "int4"), ("kind", "int2"),
        ("digest", "bytea"), ("data", "bytea"),
    ),
    "gateway_searchtext": (
        ("month", "date"), ("scope", "int4"), ("digest", "bytea"), ("exchange_id", "uuid"), ("kind", "int2"),
        ("words", "text"), ("trigrams", "int2[]"),
    ),
}  # fmt: skip


def copy_rows(connection: Any, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """As text: a tsvector has no binary form that psycopg knows."""
    import psycopg
    from psycopg.types.json import set_json_dumps

    from gateway.history.writer import COLUMNS, write_jsonb

    columns = [name for name, _ in (COLUMNS.get(table) or TREE_COLUMNS[table])]
    with psycopg.Cursor(connection) as cursor:
        set_json_dumps(write_jsonb, cursor)
        with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row([psycopg.types.json.Jsonb(value) if isinstance(value, dict) else value for value in row])


def sizes(text_bytes: int) -> dict[str, Any]:
    from gateway.history.statistics import read_statistics

    search = read_statistics().search_bytes
    return {"search_bytes": search, "search_to_text": round(search / text_bytes, 2)}


def ask(frequencies: Counter[str]) -> dict[str, Any]:
    """Median and worst of each question, in milliseconds, everything visible and one team's."""
    from gateway.history.search.find import search
    from gateway.history.visibility import EVERYTHING, Sight

    common = [word for word, count in frequencies.most_common() if count < sum(frequencies.values()) / 3_000]
    told = {}
    for sight_name, sight in (("all", EVERYTHING), ("one team", Sight(frozenset({"red"})))):
        for name, question in QUESTIONS.items():
            text = question or next(word for word in common if word.isalpha())
            times, results = [], None
            for _ in range(ASKED):
                began = time.perf_counter()
                results = search(text, sight)
                times.append((time.perf_counter() - began) * 1000)
            count = f"{results.count}{'' if results.counted_all else '+'}"
            told[f"{name} ({sight_name})"] = {
                "median": round(statistics.median(times), 1), "worst": round(max(times), 1), "turns": count,
            }  # fmt: skip
            tell(f"{name} ({sight_name}): {told[f'{name} ({sight_name})']}")
    return told


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
