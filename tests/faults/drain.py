"""S-14 and S-15: told to stop, and started again, under load."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Any

import psutil

from gateway.recording.counters import Slot, read_counters
from gateway.recording.series import list_series
from tests.faults.checker import all_whole, nothing_lost, unique
from tests.faults.client import Connection, LoadClient, Received
from tests.faults.nemesis import send
from tests.faults.registry import require, row
from tests.faults.scene import Gateway, Scene, until


async def probe(client: LoadClient, path: str) -> int:
    """The status of a probe; 0 when nobody listens. Probes are not noted: they have no row."""
    quiet = LoadClient(client.host, client.port, client.path.with_suffix(".probes"))
    return (await quiet.ask("", method="GET", target=path, body=b"", headers=[])).status


@row(
    "S-14",
    "At SIGTERM `/readyz` says 503 while requests are still served for TURNLOG_DRAIN_GRACE, then running streams"
    " finish, exit status 0; what outlasts TURNLOG_DRAIN_SECONDS is cut and its row says interrupted_drain.",
    quick=True,
)
async def sigterm_drains(scene: Scene) -> str:
    said = [await drained(scene), await cut_short(scene)]
    return "; ".join(said)


async def drained(scene: Scene) -> str:
    """`web` is told, its supervisor starts the next one, which finds the first's streams in the history."""
    async with scene.gateway(TURNLOG_DRAIN_GRACE="2") as gateway:
        client = scene.client(gateway)
        count = scene.pick(20, 200)
        # Long enough for all of them to have begun on a machine that has other things to do.
        scenario = f"slow;ms=100;events={scene.pick(60, 250)}"
        asked = [asyncio.create_task(client.ask(scenario)) for _ in range(count)]
        await until(lambda: gateway.status()["in_flight"] == count, "all streams are in flight")
        web = gateway.webs()[0]
        told = time.monotonic()
        send(web, signal.SIGTERM)
        while await probe(client, "/readyz") != 503:
            require(time.monotonic() - told < 1, "/readyz did not say 503 within a second")
        late = await client.ask()
        require(late.ok, f"a request within the grace got {late.status}, {late.ending}")
        answers = await asyncio.gather(*asked)
        whole = all_whole(answers, "streams over a drain")
        await until(lambda: "ended with exit status 0" in gateway.run.output, "web ended with exit status 0", 60)
        return f"{whole}; {await nothing_lost(scene, gateway)}"


async def cut_short(scene: Scene) -> str:
    """The whole supervisor is told; what it has not stored is stored after the next start."""
    data_dir = scene.directory / "cut"
    async with scene.gateway(data_dir, TURNLOG_DRAIN_SECONDS="1") as gateway:
        client = scene.client(gateway)
        asked = [asyncio.create_task(client.ask("slow;ms=100;events=1000")) for _ in range(10)]
        await until(lambda: gateway.status()["in_flight"] == 10, "all streams are in flight")
        status = await gateway.stop()
        require(status == 0, f"the supervisor ended with {status}")
        answers = await asyncio.gather(*asked)
    require(all(answer.ending == "cut" for answer in answers), "a stream that was cut did not look cut")
    async with scene.gateway(data_dir) as gateway:
        await gateway.settle()
        rows = unique(await gateway.rows())
    outcomes = {rows[answer.id]["outcome"] if answer.id in rows else "no row" for answer in answers}
    require(outcomes == {"interrupted_drain"}, f"the rows of cut streams say {sorted(outcomes)}")
    return "10 streams cut and marked interrupted_drain"


@row(
    "S-15",
    "Two `web` processes share the port and are restarted one after the other, ten times, under load: no request fails,"
    " neither on new connections nor on those kept open.",
)
async def rolling_restart(scene: Scene) -> str:
    async with scene.gateway(TURNLOG_WEB_PROCESSES="2", TURNLOG_DRAIN_GRACE="1") as gateway:
        client = scene.client(gateway)
        await until_both_serve(gateway)
        over = asyncio.Event()
        fresh = asyncio.create_task(client.keep_asking(over, ("slow;ms=10;events=30", "text"), 8, 0.02))
        kept = asyncio.create_task(keep_connections(client, over, 8))
        try:
            for number in range(scene.pick(2, 10)):
                await restart(gateway, number % 2)
        finally:
            over.set()
            answers = [*await fresh, *await kept]
        whole = all_whole(answers)
        return f"{whole}; {await nothing_lost(scene, gateway)}"


async def restart(gateway: Gateway, number: int) -> None:
    old = sorted(gateway.webs(), key=started)[0]
    send(old, signal.SIGTERM)
    await until(lambda: not old.is_running() or old.status() == psutil.STATUS_ZOMBIE, f"web {number} has ended", 40)

    await until_both_serve(gateway)


async def until_both_serve(gateway: Gateway) -> None:
    """A web process has its series, and notes its number there, right before it begins to serve."""

    def both() -> bool:
        serving = {read_counters(series)[Slot.PROCESS_ID] for series in list_series(gateway.spool)}
        pids = {web.pid for web in gateway.webs()}
        return len(pids) == 2 and pids <= serving

    await until(both, "two web processes serve", 40)
    await asyncio.sleep(0.5)


def started(process: psutil.Process) -> float:
    return process.create_time()


async def keep_connections(client: LoadClient, over: asyncio.Event, count: int) -> list[Received]:
    """Clients that use one connection as long as the gateway keeps it."""

    async def one() -> list[Received]:
        connection = Connection(client.host, client.port)
        answers: list[Any] = []
        while not over.is_set():
            answers.append(await client.ask("text", connection=connection))
            await asyncio.sleep(0.05)
        connection.close()
        return answers

    return [answer for part in await asyncio.gather(*(one() for _ in range(count))) for answer in part]
