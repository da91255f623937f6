"""R-04, R-05: the Redis that processes share dies or stalls beneath the traffic, and nobody waits for it."""

from __future__ import annotations

import asyncio
import re
import signal
import urllib.request
from pathlib import Path

from tests.conftest import free_port, running_redis
from tests.faults.checker import all_whole, nothing_lost, percentile
from tests.faults.durability import during
from tests.faults.registry import Failed, require, row
from tests.faults.scene import Gateway, Scene, until

LATER_MS = 50.0
LOOP_MS = 100.0
TRIES = 3


def place(scene: Scene, name: str) -> Path:
    directory = scene.directory / name
    directory.mkdir()
    return directory


@row(
    "R-04",
    "Redis is killed under streams, stays away for ten minutes (short run: 5 s) and comes back empty: no client sees an"
    " error, nothing is lost.",
    quick=True,
)
async def redis_down(scene: Scene) -> str:
    port = free_port()
    with running_redis(place(scene, "redis"), port) as redis:
        async with scene.gateway(REDIS_URL=redis.url) as gateway:

            async def fault() -> None:
                redis.process.kill()
                await asyncio.to_thread(redis.process.wait)
                await asyncio.sleep(scene.pick(5, 600))
                back = running_redis(place(scene, "back"), port)
                await asyncio.to_thread(back.__enter__)
                try:
                    await asyncio.sleep(2)
                finally:
                    await asyncio.to_thread(back.__exit__, None, None, None)

            answers = await during(scene, gateway, scene.pick(20, 100), fault)
            return f"{all_whole(answers, 'streams')}; {await nothing_lost(scene, gateway)}"


@row(
    "R-05",
    "Redis stalls (SIGSTOP) under traffic whose breakers and credentials have news to tell: at the 99th percentile the"
    " first byte comes at most 50 ms later than before, the event loop is held up at most 100 ms longer, and no request"
    " fails. In one of three tries: the machine has other things to do.",
    quick=True,
    timed=True,
)
async def redis_stalled(scene: Scene) -> str:
    with running_redis(place(scene, "redis"), free_port()) as redis:
        async with scene.gateway(REDIS_URL=redis.url) as gateway:
            tries = []
            await first_bytes(scene, gateway)  # what starts lazily would make "before" slow
            for _ in range(TRIES):
                before = await first_bytes(scene, gateway)
                late_before = await worst_lag(gateway)
                redis.process.send_signal(signal.SIGSTOP)
                try:
                    # With news to tell, so that somebody has reason to wait.
                    failing = [await scene.client(gateway).ask("error_500") for _ in range(6)]
                    stalled = await first_bytes(scene, gateway)
                    late = await worst_lag(gateway) - late_before
                finally:
                    redis.process.send_signal(signal.SIGCONT)
                require({answer.status for answer in failing} == {500}, "a provider's 500 did not come through")
                later = percentile(stalled, 0.99) - percentile(before, 0.99)
                tries.append(
                    f"{later:.1f} ms later at the 99th percentile of {len(stalled)}, loop held up {late:.0f} ms longer"
                )
                if later <= LATER_MS and late <= LOOP_MS:
                    return f"{tries[-1]}; {await nothing_lost(scene, gateway)}"
            raise Failed("; ".join(tries))


async def first_bytes(scene: Scene, gateway: Gateway) -> list[float]:
    """Milliseconds, of requests that come one after the other on eight connections."""
    client = scene.client(gateway)
    answers = await client.many(scene.pick(200, 2000), lambda _: client.ask(), at_once=8)
    all_whole(answers, "answers")
    return [(answer.first_byte or 0.0) * 1000 for answer in answers]


async def worst_lag(gateway: Gateway) -> float:
    """Milliseconds that the event loop of a `web` process was late by, at worst within its last 15 seconds."""
    _, before = await asyncio.to_thread(told, gateway)
    lag, _ = await until(lambda: (now := told(gateway))[1] > before and now, "the processes tell of themselves")
    return lag * 1000


def told(gateway: Gateway) -> tuple[float, float]:
    """What the processes said of themselves last: how late they were at worst, how long they run. Seconds."""
    with urllib.request.urlopen(f"{gateway.url}/metrics", timeout=20) as page:
        text = page.read().decode()
    names = ("event_loop_lag_seconds", "process_uptime_seconds")
    lags, uptimes = (re.findall(rf"^turnlog_{name}(?:{{.*}})? ([\d.e+-]+)$", text, re.M) for name in names)
    require(lags and uptimes, "/metrics does not say how late the event loop was")
    return max(map(float, lags)), max(map(float, uptimes))
