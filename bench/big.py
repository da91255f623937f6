"""`make big`: a history of a million turns, asked as the pages and commands ask it, and a month dropped under load.

A throwaway PostgreSQL is filled by `manage.py demo`, a process for each core (--turns takes fewer). Each question
is asked for many turns and sessions; the three slowest are explained. Then the oldest month goes while a loader stores
and a reader holds a transaction open: nobody may wait for a lock longer than a second. Exit status 0: everything held.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from bench.cpu_clock import CpuClock
from bench.questions import Question, limit_of, questions
from proxy_project.embedded.postgres import EmbeddedPostgres

LOCK_SECONDS = 1.0
LOCK_WAITS = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8 FROM pg_locks
WHERE NOT granted AND pid <> %s
"""
HELD = """
SELECT DISTINCT locked.pid, locked.relation::regclass::text FROM pg_locks locked JOIN pg_class ON oid = relation
WHERE granted AND mode = 'AccessExclusiveLock' AND relname LIKE 'gateway\\_%%' AND locktype = 'relation'
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.big", description=__doc__)
    parser.add_argument("--turns", type=int, default=1_000_000, help="how many (1000000)")
    parser.add_argument("--days", type=int, default=75, help="over how many days (75)")
    parser.add_argument("--samples", type=int, default=40, help="how often each question is asked (40)")
    parser.add_argument("--database", help="ask this one as it is: nothing is filled, no month is dropped")
    parser.add_argument(
        "--keep", type=Path, metavar="DIRECTORY", help="where the database is made and stays afterwards"
    )
    options = parser.parse_args()
    if options.database:
        os.environ |= {"DATABASE_URL": options.database, "DJANGO_SETTINGS_MODULE": "proxy_project.settings"}
        sys.exit(ask_existing(options))
    with directory(options.keep) as name:
        server = EmbeddedPostgres(Path(name) / "data")
        address = server.start()
        try:
            place = f"host={quote(str(address.directory), safe='')}&port={address.port}"
            os.environ |= {
                "DATABASE_URL": f"postgresql://turnlog@/turnlog?{place}",
                "TURNLOG_DATA_DIR": name,
                "DJANGO_SETTINGS_MODULE": "proxy_project.settings",
            }
            sys.exit(run(options))
        finally:
            server.stop(seconds=20)


@contextmanager
def directory(kept: Path | None) -> Iterator[str]:
    if kept is not None:
        kept.mkdir(mode=0o755)
        yield str(kept.absolute())
        return
    with tempfile.TemporaryDirectory(prefix="turnlog-big-") as name:
        os.chmod(name, 0o755)
        yield name


def run(options: argparse.Namespace) -> int:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    began = time.monotonic()
    call_command("demo", turns=options.turns, days=options.days, jobs=os.cpu_count() or 1, yes=True)
    call_command("history", "index")
    filled = time.monotonic() - began
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    figures, held = asked_figures(options)
    figures |= {"filled_seconds": round(filled), "month_dropped": drop_under_load()}
    json.dump(figures, sys.stdout, indent=2)
    print()
    dropped = figures["month_dropped"]
    return 0 if held and max(dropped["longest_wait_s"], dropped["longest_hold_s"]) <= LOCK_SECONDS else 1


def ask_existing(options: argparse.Namespace) -> int:
    import django

    django.setup()
    figures, held = asked_figures(options)
    json.dump(figures, sys.stdout, indent=2)
    print()
    return 0 if held else 1


def asked_figures(options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """Sizes, 95th percentiles and plans of the slowest; whether all are within the limit."""
    from gateway.history.statistics import read_statistics

    asked = ask_all(options.samples)
    slowest = sorted(asked.items(), key=lambda item: -item[1][0])[:3]
    figures = {
        **read_statistics().to_object(),
        "p95_ms": {name: round(ms, 1) for name, (ms, _, _) in asked.items()},
        "p95_cpu_ms": {name: round(cpu, 1) for name, (_, cpu, _) in asked.items()},
        "too_slow": sorted(name for name, (ms, _, _) in asked.items() if ms > limit_of(name)),
        "slowest": [
            {"question": name, "p95_ms": round(ms, 1), "plan": explained(ask)} for name, (ms, _, ask) in slowest
        ],
    }
    return figures, not figures["too_slow"]


def ask_all(samples: int) -> dict[str, tuple[float, float, Question]]:
    """By name, the 95th percentile in ms, that of CPU time, and the question that took longest. The first of each kind
    warms up."""
    found = {}
    clock = CpuClock()
    for name, make in questions(random.Random(1)).items():
        times, spent = [], []
        make()()
        for _ in range(samples):
            question = make()
            began, before = time.perf_counter(), clock.ms()
            question()
            times.append(((time.perf_counter() - began) * 1000, question))
            spent.append(clock.ms() - before)
        times.sort(key=lambda timed: timed[0])
        at = int(samples * 0.95) - 1
        found[name] = (times[at][0], sorted(spent)[at], times[-1][1])
    return found


def explained(question: Question) -> list[str]:
    """The plan of the slowest statement of a question."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        question()
    if not captured.captured_queries:
        return []
    slowest = max(captured.captured_queries, key=lambda query: float(query["time"]))["sql"]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {slowest.replace('%', '%%')}", [])
        return [str(row[0]) for row in cursor.fetchall()]


def drop_under_load() -> dict[str, Any]:
    from gateway.history.months import drop_month, existing_months

    month = existing_months()[0]
    with watched() as seen, storing() as stored, reading():
        time.sleep(2)
        began = time.monotonic()
        drop_month(month)
        took = time.monotonic() - began
        time.sleep(1)
    return {
        "month": f"{month:%Y-%m}",
        "seconds": round(took, 2),
        "longest_wait_s": round(seen["wait"], 3),
        "longest_hold_s": round(seen["hold"], 3),
        "batches_stored_meanwhile": len(stored),
        "slowest_batch_s": round(max(stored), 3),
    }


@contextmanager
def until_stopped(work: Callable[[threading.Event], None]) -> Iterator[None]:
    from django.db import connections

    stop, failed = threading.Event(), []

    def run() -> None:
        try:
            work(stop)
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
    if failed:
        raise failed[0]


@contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Longest wait of anybody for a lock, longest hold of an exclusive one on a table of ours; looked at 100 times a
    second."""
    seen = {"wait": 0.0, "hold": 0.0}

    def look(stop: threading.Event) -> None:
        since: dict[Any, float] = {}
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as own:
            while not stop.wait(0.01):
                now = time.monotonic()
                row = own.execute(LOCK_WAITS, [own.info.backend_pid]).fetchone()
                seen["wait"] = max(seen["wait"], row[0] if row else 0.0)
                holders = set(own.execute(HELD).fetchall())
                since = {holder: since.get(holder, now) for holder in holders}
                seen["hold"] = max([seen["hold"], *(now - began for began in since.values())])

    with until_stopped(look):
        yield seen


@contextmanager
def storing() -> Iterator[list[float]]:
    """A loader at work on this month; how long each of its batches took."""
    from gateway.demo.filling import Plan, fill

    times: list[float] = []

    def store(stop: threading.Event) -> None:
        began = time.monotonic()
        for _ in fill(Plan(turns=1_000_000, days=1, seed=7), batch=50):
            times.append(time.monotonic() - began)
            began = time.monotonic()
            if stop.is_set():
                return

    with until_stopped(store):
        yield times


@contextmanager
def reading() -> Iterator[None]:
    """Somebody who read all months and idles in the transaction for a second and a half, again and again."""

    def read(stop: threading.Event) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"]) as own:
            while not stop.is_set():
                own.execute("SELECT id FROM gateway_requestlog ORDER BY id LIMIT 1")
                stop.wait(1.5)
                own.rollback()

    with until_stopped(read):
        yield


if __name__ == "__main__":
    main()
