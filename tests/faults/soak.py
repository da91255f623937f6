"""Mixed traffic and mixed faults for a long time: `python -m tests.faults.soak [--minutes 20] [--rate 20]`.

Nothing may be lost, the reconciliation line may never be wrong, and what the processes hold (memory, file descriptors,
threads, connections to PostgreSQL) may not grow. Exit status 0 when all of that is so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.faults.checker import nothing_lost
from tests.faults.client import LoadClient, Received
from tests.faults.nemesis import held_postgres, kill, send, stopped
from tests.faults.pace import count_backends
from tests.faults.registry import Failed, require
from tests.faults.scene import Gateway, Scene, arguments

MIXED = (
    "text", "tools", "thinking", "gzip", "slow;ms=20;events=60", "slow;ms=100;events=30", "error_429", "error_529",
    "cut_rst", "comments", "split_every;n=7", "big_line;mb=1", "silence;after_events=3",
)  # fmt: skip
FAULT_EVERY = 20.0
SAMPLE_EVERY = 2.0
WARM_UP = 0.25
"""The part of the run in which caches fill: growth is looked at after it."""
SETTLED_AFTER = 60.0
"""Seconds a process that was started again has for the same."""
BOUNDS = {"rss_mb": 6.0, "descriptors": 8.0, "threads": 2.0}
"""What `web` and `loader` may grow by, by the line through all samples after the warm-up."""


@dataclass
class Samples:
    """(seconds, value) by `process what`; a process that was killed begins a new series."""

    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, name: str, at: float, value: float) -> None:
        self.series.setdefault(name, []).append((at, value))

    def growth(self, name: str, since: float) -> float:
        """By how much the fitted line rises over the samples after `since`."""
        since = max(since, self.series[name][0][0] + SETTLED_AFTER)
        points = [point for point in self.series[name] if point[0] >= since]
        if len(points) < 10:
            return 0.0
        mean_x = sum(x for x, _ in points) / len(points)
        mean_y = sum(y for _, y in points) / len(points)
        spread = sum((x - mean_x) ** 2 for x, _ in points)
        slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
        return slope * (points[-1][0] - points[0][0])


async def sample(gateway: Gateway, samples: Samples, over: asyncio.Event) -> None:
    began = time.monotonic()
    while not over.is_set():
        at = time.monotonic() - began
        for process in gateway.run.children():
            with contextlib.suppress(psutil.Error):
                word = next((part for part in ("web", "loader", "worker") if part in arguments(process)), None)
                if word:
                    name = f"{word} {process.pid}"
                    samples.add(f"{name} rss_mb", at, process.memory_info().rss / 1e6)
                    samples.add(f"{name} descriptors", at, process.num_fds())
                    samples.add(f"{name} threads", at, process.num_threads())
        with contextlib.suppress(Exception):  # PostgreSQL may be away just now
            samples.add("postgres backends", at, await asyncio.to_thread(count_backends, gateway))
        await asyncio.sleep(SAMPLE_EVERY)


async def load(client: LoadClient, rate: float, over: asyncio.Event) -> list[Received]:
    chance = random.Random(20_251_121)
    running: list[asyncio.Task[Received]] = []
    due = time.monotonic()
    while not over.is_set():
        running.append(asyncio.create_task(client.ask(chance.choice(MIXED))))
        if chance.random() < 0.03:
            asyncio.get_running_loop().call_later(0.3, running[-1].cancel)
        due += 1 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    ended = await asyncio.gather(*running, return_exceptions=True)
    return [answer for answer in ended if isinstance(answer, Received)]


async def disturb(gateway: Gateway, over: asyncio.Event, said: Counter[str]) -> None:
    chance = random.Random(7)
    faults = ("postgres held", "postgres stopped", "loader killed", "worker killed", "loader stopped", "web drained")
    while not over.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), FAULT_EVERY)
        if over.is_set():
            return
        fault = chance.choice(faults)
        said[fault] += 1
        tell(f"  {fault}")
        await do(fault, gateway)


async def do(fault: str, gateway: Gateway) -> None:
    if fault == "postgres held":
        with held_postgres(gateway.data_dir):
            await asyncio.sleep(8)
    elif fault == "postgres stopped":
        with stopped(gateway.process("postgres")):
            await asyncio.sleep(5)
    elif fault == "loader stopped":
        with stopped(gateway.process("loader")):
            await asyncio.sleep(5)
    elif fault == "web drained":
        send(gateway.webs()[0], signal.SIGTERM)
    else:
        kill(await asyncio.to_thread(gateway.process, fault.split()[0]))


async def soak(minutes: float, rate: float, directory: Path) -> str:
    async with Scene(directory, quick=False) as scene:
        settings = {"TURNLOG_WEB_PROCESSES": "2", "TURNLOG_DRAIN_GRACE": "1", "TURNLOG_IDLE_TIMEOUT": "3"}
        async with scene.gateway(**settings) as gateway:
            client = scene.client(gateway)
            over, samples, faults = asyncio.Event(), Samples(), Counter[str]()
            work = [
                asyncio.create_task(load(client, rate, over)),
                asyncio.create_task(sample(gateway, samples, over)),
                asyncio.create_task(disturb(gateway, over, faults)),
            ]
            began = time.monotonic()
            while time.monotonic() - began < minutes * 60 and not any(task.done() for task in work):
                await asyncio.sleep(5)
                told = f"{(time.monotonic() - began) / 60:.1f} min, {len(client.received)} exchanges"
                tell(f"{told}, {len(gateway.balance.looks)} looks at the line")
            over.set()
            answers, *_ = await asyncio.gather(*work)
            text = await nothing_lost(scene, gateway)
            unanswered = [answer for answer in answers if answer.ending in ("silent", "refused")]
            require(not unanswered, f"{len(unanswered)} requests got no answer, such as {unanswered[:1]}")
            flat(samples, minutes * 60 * WARM_UP)
            shown = ", ".join(f"{name} {count}" for name, count in faults.items())
        return f"{text}; faults: {shown or 'none'}; {scene.balance_verdict()}; all flat"


def flat(samples: Samples, since: float) -> None:
    for name in sorted(samples.series):
        what = name.rpartition(" ")[2]
        growth = samples.growth(name, since)
        last = samples.series[name][-1][1]
        tell(f"{name:28} last {last:7.1f}, grew by {growth:+.2f}")
        bound = BOUNDS.get(what, 4.0)
        require("worker" in name or growth <= bound, f"{name} grew by {growth:.1f}, more than {bound:g}")


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20, help="how long (20)")
    parser.add_argument("--rate", type=float, default=20, help="requests a second (20)")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="turnlog-soak-"))
    directory.chmod(0o755)
    try:
        tell(f"PASS  {asyncio.run(soak(options.minutes, options.rate, directory))}")
    except Failed as failed:
        tell(f"FAIL  {failed} [kept: {directory}]")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
