"""`python -m bench.storage`: what long conversations cost in the store, in bytes and in CPU time.

A throwaway PostgreSQL, the loader's own row builder and writer, and its own reader. Bytes are those of
`manage.py history stats`, that is PostgreSQL's size functions. CPU time is that of this process and that of its
PostgreSQL backend.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import zstandard

from bench.bodies import headers
from bench.conversations import conversation
from proxy_project.embedded.postgres import EmbeddedPostgres

ANSWER = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant",'
    b'"model":"claude-opus-5-5","content":[],"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2, help="how many conversations (2)")
    parser.add_argument("--turns", type=int, default=200, help="turns of each (200)")
    parser.add_argument("--results", type=int, nargs=2, default=(9_000, 20_000), help="bytes of a tool's result")
    parser.add_argument("--batch", type=int, default=8, help="requests in a transaction (8)")
    parser.add_argument("--sealed", action="store_true", help="with encryption at rest")
    parser.add_argument("--rebuilds", type=int, default=40, help="how many requests are rebuilt (40)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        os.chmod(name, 0o755)
        server = EmbeddedPostgres(Path(name) / "data")
        address = server.start()
        try:
            os.environ["DATABASE_URL"] = (
                f"postgresql://turnlog@/turnlog?host={quote(str(address.directory), safe='')}&port={address.port}"
            )
            os.environ["TURNLOG_DATA_DIR"] = name
            if options.sealed:
                os.environ["TURNLOG_HISTORY_KEYS"] = base64.urlsafe_b64encode(os.urandom(32)).decode()
            told = measure(options)
            json.dump(told, sys.stdout, indent=2)
            print()
            sys.exit(1 if broken(told) else 0)
        finally:
            server.stop(seconds=10)


def broken(told: dict[str, Any]) -> list[str]:
    """Which demands do not hold; they are made of two conversations of 200 turns."""
    if told["turns"] != 400 or told["mean_request_bytes"] < 1_400_000:
        return []
    demands = {
        "stored_bytes <= 5 MB": told["stored_bytes"] <= 5_000_000,
        "120 times smaller than raw": told["ratio"] >= 120,
        "30 times smaller than zstd for each request": told["zstd_per_request_bytes"] >= 30 * told["stored_bytes"],
        "8 ms to load 1.5 MB": told["load_ms"]["mean_of_1.5_MB"] + told["load_postgres_ms"] <= 8,
        "15 ms to rebuild it": told["rebuild"]["ms"] + told["rebuild"]["postgres_ms"] <= 15,
    }
    missed = [name for name, held in demands.items() if not held]
    print("all demands held" if not missed else f"not held: {missed}", file=sys.stderr)
    return missed


def measure(options: argparse.Namespace) -> dict[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    connection.ensure_connection()
    backend = psutil.Process(connection.connection.info.backend_pid)
    loaded = load(options, backend)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    from gateway.history.statistics import read_statistics

    told = read_statistics().to_object()
    return {**told, **loaded, "rebuild": rebuild(options.rebuilds, backend)}


def load(options: argparse.Namespace, backend: psutil.Process) -> dict[str, Any]:
    from django.db import connection

    from gateway.history.writer import HistoryWriter
    from gateway.recording.rows import RowBuilder

    builder, writer = RowBuilder(), HistoryWriter(connection.connection)
    sizes, compressed = [], 0
    costs: list[tuple[int, float]] = []
    postgres = 0.0
    compressor = zstandard.ZstdCompressor(level=3)
    for session in range(options.sessions):
        batch: list[Any] = []
        for body in conversation(session, options.turns, tuple(options.results)):
            compressed += len(compressor.compress(body)) if len(sizes) % 10 == 0 else 0
            sizes.append(len(body))
            batch.append(exchange(body, session))
            if len(batch) == options.batch or len(sizes) % options.turns == 0:
                before, began = cpu(backend), time.process_time()
                store(builder, writer, batch)
                costs += [(len(one.body), (time.process_time() - began) / len(batch)) for one in batch]
                postgres += cpu(backend) - before
                batch = []
    return {
        "mean_request_bytes": round(statistics.mean(sizes)),
        "zstd_per_request_bytes": compressed * 10,
        "load_ms": {"requests_in_a_batch": options.batch, **summary(costs)},
        "load_postgres_ms": round(postgres / len(sizes) * 1000, 3),
    }


def store(builder: Any, writer: Any, batch: Sequence[Any]) -> None:
    """As the loader does: split, digest, compress, then one transaction."""
    from django.db import connection

    rows = [builder.build(recorded) for recorded in batch]
    writer.ensure_months(rows)
    with connection.connection.transaction():
        writer.write(rows)
    writer.settle(rows)


def summary(costs: Sequence[tuple[int, float]]) -> dict[str, float]:
    """Milliseconds of this process for one request: of all, and of those of about 1.5 MB."""
    near = [seconds for size, seconds in costs if 1_300_000 <= size <= 1_700_000]
    told = {"mean": round(statistics.mean(seconds for _, seconds in costs) * 1000, 3)}
    if near:
        told |= {
            "mean_of_1.5_MB": round(statistics.mean(near) * 1000, 3),
            "median_of_1.5_MB": round(statistics.median(near) * 1000, 3),
        }
    return told


def rebuild(count: int, backend: psutil.Process) -> dict[str, Any]:
    from gateway.history.store import rebuild_request
    from gateway.models import RequestLog

    near = RequestLog.objects.filter(request_bytes__range=(1_300_000, 1_700_000)).order_by("id")
    ids: list[uuid.UUID] = list(
        (near if near.exists() else RequestLog.objects.order_by("id")).values_list("id", flat=True)
    )
    times, before = [], cpu(backend)
    for id in ids[:count]:
        began = time.process_time()
        rebuild_request(id)
        times.append(time.process_time() - began)
    return {
        "requests": len(times),
        "ms": round(statistics.mean(times) * 1000, 3),
        "median_ms": round(statistics.median(times) * 1000, 3),
        "postgres_ms": round((cpu(backend) - before) / len(times) * 1000, 3),
    }


def cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def exchange(body: bytes, session: int) -> Any:
    import uuid_utils

    from gateway.recording.assemble import Recorded
    from gateway.recording.records import Admission, End, ResponseHead

    pairs = [tuple(part.encode() for part in line.split(": ", 1)) for line in headers()]
    pairs = [(name, value) for name, value in pairs if name.lower() != b"x-claude-code-session-id"]
    return Recorded(
        exchange_id=uuid_utils.uuid7().bytes,
        admission=Admission(
            started_us=time.time_ns() // 1000, method="POST", path="/v1/messages", query="beta=true",
            dialect="anthropic", provider="anthropic", access_key="", team="", client_address="",
            http_version="1.1",
            headers=[*pairs, (b"X-Claude-Code-Session-Id", f"{session:032x}".encode())], body_bytes=len(body),
        ),
        end=End(at_us=1_500_000, outcome="completed"),
        body=body,
        head=ResponseHead(900_000, 200, [(b"content-type", b"text/event-stream"), (b"request-id", b"req_1")]),
        response=ANSWER,
        times=[1_000_000],
        sizes=[len(ANSWER)],
    )  # fmt: skip


if __name__ == "__main__":
    main()
