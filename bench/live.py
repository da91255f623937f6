"""What being watched costs, and how soon what begins is seen: 200 streams, with a live page open and without.

    python -m bench.live [--seconds 140] [--streams 200] [--gap 100]

The cost is that of one recording `manage.py web` that takes turns with itself (bench/alternating.py): nobody looks,
then somebody does. CPU time of all its threads by event; the ratio is the median of those of the blocks. How soon:
another `web` is asked by a watcher that does what a dashboard process does, from the moment a request is admitted, by
its own record, until the watcher has its notice. Exit status 0: at most 5 % more CPU, and 99 of 100 requests seen
within 300 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import psycopg

from bench.__main__ import CACHE, positive
from bench.load import LoadFailed
from bench.programs import find_programs
from bench.session import Plan, Session, prepared, tell
from bench.targets import ON, Target
from bench.turns import Comparison, alternating, compare_turns, read_turns, settle
from bench.workloads import Workload, paced
from gateway.metrics.live_channel import ASK_AGAIN_SECONDS, BEAT_SECONDS, HELLO, LIVE_CHANNEL, WATCH_CHANNEL

MOST_CPU = 1.05
SEEN_SECONDS = 0.3
EVENTS = 100


class Watcher:
    """A dashboard process, as far as `web` can tell. `seen`: seconds from each request's beginning to its notice."""

    def __init__(self, database_url: str) -> None:
        self.seen: list[float] = []
        self._stopping, self._heard = threading.Event(), threading.Event()
        self._connection = psycopg.connect(database_url, autocommit=True)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        if not self._heard.wait(10):
            raise LoadFailed("web does not tell what is under way")
        return self

    def __exit__(self, *_: object) -> None:
        """Returns when `web` has noticed that nobody looks any more, and is silent."""
        self._stopping.set()
        self._thread.join(10)
        while list(self._connection.notifies(timeout=BEAT_SECONDS + 1, stop_after=1)):
            pass
        self._connection.close()

    def _run(self) -> None:
        self._connection.execute(f"LISTEN {LIVE_CHANNEL}")
        asked = 0.0
        while not self._stopping.is_set():
            if time.monotonic() - asked > ASK_AGAIN_SECONDS:
                payload, asked = "" if asked else HELLO, time.monotonic()
                self._connection.execute("SELECT pg_notify(%s, %s)", (WATCH_CHANNEL, payload))
            for notice in self._connection.notifies(timeout=0.2, stop_after=1):
                now, told = time.time(), json.loads(notice.payload)
                self._heard.set()
                if not told["f"] and not told["l"]:
                    self.seen += [now - event["at"] for event in told["e"] if event["k"] == "s"]


def main() -> int:
    parser = argparse.ArgumentParser(
        "python -m bench.live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=positive, default=140, help="how long what it costs is asked (140)")
    parser.add_argument("--streams", type=positive, default=200, help="how many at once (200)")
    parser.add_argument("--gap", type=positive, default=100, help="milliseconds between the events of one (100)")
    options = parser.parse_args()
    workload = paced(options.streams, EVENTS, gap=options.gap * 1000)
    with tempfile.TemporaryDirectory(prefix="turnlog-live-") as name:
        # PostgreSQL runs as another account when we are root, and must be able to walk to its data.
        os.chmod(name, 0o755)
        with prepared(Plan([], [ON], [], 1, 0), find_programs(CACHE), Path(name), CACHE) as session:
            session.warm_up()
            assert session.store is not None
            with Watcher(session.store.database_url) as watcher:
                ask(session, session.targets[0], workload)
            settle(session)
            tell(f"{len(watcher.seen)} requests seen; now what it costs, {options.seconds} s")
            found = cost_of_watching(session, workload, options.seconds)
            return judge(found, watcher.seen, options.streams)


def ask(session: Session, target: Target, workload: Workload) -> None:
    sample = session.generator.run(target, workload)
    if sample.errors:
        raise LoadFailed(f"{sample.errors} errors: {sample.complaint}")


def cost_of_watching(session: Session, workload: Workload, seconds: float) -> Comparison:
    """One stream after another on each connection, so that at any time some begin and some end."""
    lasting = replace(workload, each=0, seconds=seconds, spread=workload.gap * workload.events)
    with alternating(session, "watched") as (target, results):
        ask(session, target, lasting)
        return compare_turns(read_turns(results), by_event=True)


def judge(found: Comparison, seen: list[float], streams: int) -> int:
    if not seen:
        raise LoadFailed("not one request was seen")
    late = statistics.quantiles(seen, n=100)[98] if len(seen) > 1 else float("inf")
    held = found.ratio <= MOST_CPU and late <= SEEN_SECONDS and len(seen) >= streams
    print(
        f"{'held' if held else 'NOT HELD'}: watched, an event costs {found.ratio:.3f} times the CPU (at most"
        f" {MOST_CPU:.2f}; {found.told}); {len(seen)} of {streams} requests seen, {statistics.median(seen) * 1000:.0f}"
        f" ms after their beginning in the median, {late * 1000:.0f} ms at the 99th percentile (at most"
        f" {SEEN_SECONDS * 1000:.0f})"
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
