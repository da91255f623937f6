"""S-04, S-16: what the gateway holds in memory, and whether it keeps up."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import psutil

from tests.faults.checker import all_whole, nothing_lost, percentile
from tests.faults.client import LoadClient, Reading, Received
from tests.faults.prober import livez_times
from tests.faults.registry import require, row
from tests.faults.scene import Gateway, Scene, until

MB = 1_000_000

MOST_BACKENDS = 25
"""All processes together have a handful each, and the worker's tasks one; streams would have a thousand."""


@row(
    "S-04",
    "A client reads a fast endless stream at 20 kB/s: memory of `web` grows by less than 16 MB, the provider is made to"
    " wait, other streams keep their pace.",
    quick=True,
)
async def slow_reader(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        await client.many(20, lambda _: client.ask())
        web = gateway.webs()[0]
        before = web.memory_info().rss
        seconds = scene.pick(8, 60)
        deadline = time.monotonic() + seconds
        slow = asyncio.create_task(
            client.ask("endless", reading=Reading(rate=20_000, stop=lambda _: time.monotonic() > deadline))
        )
        others: list[Received] = []
        peak = before
        while not slow.done():
            others.append(await client.ask())
            peak = max(peak, web.memory_info().rss)
            await asyncio.sleep(0.05)
        read = (await slow).bytes
        all_whole(others, "other requests")
        text = await nothing_lost(scene, gateway)
        sent = max(line["response_bytes"] for line in scene.seen())
        require(peak - before < 16 * MB, f"web grew by {(peak - before) / MB:.1f} MB")
        # Beside what web holds, the kernel fills the buffers of both connections as far as the system lets it.
        require(sent < read + 64 * MB, f"the provider could send {sent / MB:.0f} MB while {read / MB:.1f} MB were read")
        slowest = percentile((answer.first_byte or 9 for answer in others), 0.99)
        require(slowest < 0.25, f"others waited {slowest * 1000:.0f} ms")
        grown = (peak - before) / MB
        return f"web grew by {grown:.1f} MB, provider sent {sent / MB:.1f} MB, {read / MB:.1f} MB read; {text}"


@row(
    "S-16",
    "1 000 streams at once, 5 events a second each on one `web` process, then 20 on two: no error, less than 600 MB for"
    " a process, no database connection held for a stream, `/livez` within 50 ms at the 99th percentile of the first.",
    quick=True,
    timed=True,
)
async def thousand_streams(scene: Scene) -> str:
    first = await crowd(scene, "one", "1", scene.pick(200, 1000), 5, 0.05)
    if scene.quick:
        return first
    return f"{first}; {await crowd(scene, 'two', '2', 1000, 20, None)}"


async def crowd(scene: Scene, name: str, processes: str, streams: int, per_second: int, livez: float | None) -> str:
    async with scene.gateway(scene.directory / name, TURNLOG_WEB_PROCESSES=processes) as gateway:
        client = LoadClient(gateway.host, gateway.port, scene.directory / f"{name}.jsonl")
        scenario = f"slow;ms={1000 // per_second};events={per_second * scene.pick(6, 15)};first_ms=2000"
        began = time.monotonic()
        asked = [asyncio.create_task(client.ask(scenario)) for _ in range(streams)]
        await until(lambda: gateway.status()["in_flight"] == streams, "all streams are in flight")
        used = {web.pid: cpu(web) for web in gateway.webs()}
        measured = time.monotonic()
        async with livez_times(gateway.host, gateway.port) as lags:
            memory, backends = await watch(gateway, asked)
        busy = sum(cpu(web) - used[web.pid] for web in gateway.webs()) / (time.monotonic() - measured)
        answers = await asyncio.gather(*asked)
        whole = all_whole(answers, "streams")
        await gateway.settle()
        rows = [row for row in await gateway.rows() if row["outcome"] == "completed"]
        require(len(rows) == streams, f"{len(rows)} rows for {streams} streams")
        held = {row["client_request_id"]: row["response_sha256"] for row in rows}
        require(all(held[answer.id] == answer.sha256 for answer in answers), "the history holds other bytes")
        require(memory < 600 * MB, f"a web process took {memory / MB:.0f} MB")
        require(backends <= MOST_BACKENDS, f"{backends} database connections")
        lag = percentile(lags, 0.99)
        require(livez is None or lag <= livez, f"/livez took {lag * 1000:.0f} ms at the 99th percentile")
        took = time.monotonic() - began
        return (
            f"{whole} on {processes} web at {per_second}/s in {took:.0f} s: {memory / MB:.0f} MB, {busy:.2f} cores, "
            f"/livez {lag * 1000:.0f} ms, {backends} database connections"
        )


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def watch(gateway: Gateway, asked: list[Any]) -> tuple[int, int]:
    """(most resident bytes of a web process, most backends of PostgreSQL) until all ended."""
    memory = backends = 0
    while not all(task.done() for task in asked):
        memory = max(memory, *(web.memory_info().rss for web in gateway.webs()))
        backends = max(backends, await asyncio.to_thread(count_backends, gateway))
        await asyncio.sleep(1)
    return memory, backends


def count_backends(gateway: Gateway) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with gateway.connect() as connection:
        found = connection.execute(query).fetchone()
    return int(found[0]) if found else 0
