"""`python -m bench.answers`: how long answers about a long conversation take, and what can be found of it takes up.

The conversations of `bench.storage`, loaded in the same way; then each question is asked several times. A throwaway
PostgreSQL; times are of one process and include what PostgreSQL does for it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from bench.storage import load
from proxy_project.embedded.postgres import EmbeddedPostgres

ASKED = 7


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2, help="how many conversations (2)")
    parser.add_argument("--turns", type=int, default=200, help="turns of each (200)")
    parser.add_argument("--results", type=int, nargs=2, default=(9_000, 20_000), help="bytes of a tool's result")
    parser.add_argument("--batch", type=int, default=8, help="requests in a transaction (8)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="turnlog-bench-") as name:
        os.chmod(name, 0o755)
        server = EmbeddedPostgres(Path(name) / "data")
        address = server.start()
        try:
            host = quote(str(address.directory), safe="")
            os.environ["DATABASE_URL"] = f"postgresql://turnlog@/turnlog?host={host}&port={address.port}"
            os.environ["TURNLOG_DATA_DIR"] = name
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")
            json.dump(measure(options), sys.stdout, indent=2)
            print()
        finally:
            server.stop(seconds=10)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    connection.ensure_connection()
    load(options, psutil.Process(connection.connection.info.backend_pid))
    told = {"index": index(), **search_size()}
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {**told, "ms": ask()}


def index() -> dict[str, float]:
    """CPU time of making everything searchable, for each 10 kB of text."""
    from gateway.history.search.index import index_batch

    began, texts = time.process_time(), 0
    while taken := index_batch():
        texts += taken
    return {"texts": texts, "cpu_seconds": round(time.process_time() - began, 2)}


def search_size() -> dict[str, Any]:
    from gateway.history.search.index import blob_value
    from gateway.history.search.text import text_of
    from gateway.history.statistics import read_statistics
    from gateway.models import Blob

    blobs = Blob.objects.exclude(kind=0).values_list("data", "size").iterator()
    text = sum(len(text_of(blob_value(bytes(data), size)).encode()) for data, size in blobs)
    statistics_now = read_statistics()
    return {
        "unique_text_bytes": text,
        "search_bytes": statistics_now.search_bytes,
        "search_to_text": round(statistics_now.search_bytes / text, 2),
        "stored_bytes": statistics_now.stored_bytes,
    }


def process_and_backend() -> float:
    """Seconds of CPU that this process and its PostgreSQL backend have used; the latter in steps of 10 ms."""
    from django.db import connection

    backend = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return time.process_time() + backend.user + backend.system


def ask() -> dict[str, dict[str, float]]:
    """Median and worst of each question about one session, in milliseconds, and the CPU time of it."""
    from gateway.history.conversation.cache import cache_readings
    from gateway.history.conversation.comparing import compare
    from gateway.history.conversation.context import report
    from gateway.history.conversation.loading import load_session
    from gateway.history.conversation.present import conversation_object
    from gateway.history.conversation.tool_use import figures
    from gateway.models import RequestLog

    session = RequestLog.objects.exclude(session_id=None).values_list("session_id", flat=True)[0]
    loaded = load_session(session)
    turns = loaded.turns
    questions: dict[str, Callable[[], Any]] = {
        "conversation: load": lambda: load_session(session),
        "conversation: load and show": lambda: conversation_object(load_session(session)),
        "cache: load and read": lambda: cache_readings(load_session(session).turns, loaded.reader.read),
        "diff of two turns, loaded": lambda: compare(loaded, turns[-2].answer, turns[-1].answer),
        "context: load and report": lambda: report(load_session(session)),
        "tools: load and count": lambda: figures([load_session(session)]),
    }
    told = {"turns": {"of the session": len(turns)}}
    for name, question in questions.items():
        times, cpu = [], []
        for _ in range(ASKED):
            began, used = time.perf_counter(), process_and_backend()
            question()
            times.append((time.perf_counter() - began) * 1000)
            cpu.append((process_and_backend() - used) * 1000)
        median = statistics.median
        told[name] = {"median": round(median(times), 1), "worst": round(max(times), 1), "cpu": round(median(cpu), 1)}
    return told


if __name__ == "__main__":
    main()
