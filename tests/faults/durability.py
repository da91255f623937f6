"""R-01 to R-03 and R-06: what dies or stalls beneath the traffic costs no exchange."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.faults.checker import all_whole, id_of, nothing_lost, unique
from tests.faults.client import KEY, LoadClient, Reading, Received
from tests.faults.nemesis import held_postgres, kill, stopped
from tests.faults.registry import require, row
from tests.faults.scene import Gateway, Scene, until
from tests.faults.summed_up import rolled_up

FSYNC_SECONDS = 1.0
MIXED = ("slow;ms=20;events=40", "text", "thinking;ms=10", "tools", "error_429", "slow;ms=50;events=20")


async def waves(client: LoadClient, streams: int, scenario: str, over: asyncio.Event) -> list[Received]:
    return await client.keep_asking(over, [scenario], streams)


async def during(scene: Scene, gateway: Gateway, streams: int, fault: Any) -> list[Received]:
    """Streams run before, while and after `fault()` is awaited."""
    client = scene.client(gateway)
    over = asyncio.Event()
    work = asyncio.create_task(waves(client, streams, "slow;ms=100;events=12", over))
    try:
        await until(lambda: len(client.received) >= streams or work.done(), "the first streams have ended")
        await fault()
        await asyncio.sleep(1)
    finally:
        over.set()
        answers = await work
    return answers


@row(
    "R-01",
    "PostgreSQL is down for a minute under 200 streams: no client sees an error, every byte arrives, and half a minute"
    " after it is back every exchange is in the history once.",
    quick=True,
    timed=True,
)
async def postgres_down(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        depths: list[int] = []

        async def fault() -> None:
            with held_postgres(gateway.data_dir):
                await gateway.until_status(lambda status: status["database"] == "down", "PostgreSQL is down")
                await asyncio.sleep(scene.pick(3, 60))
                depths.append(gateway.status()["spooled"])

        answers = await during(scene, gateway, scene.pick(40, 200), fault)
        whole = all_whole(answers, "streams")
        require(depths[0] > 0, "nothing was spooled while PostgreSQL was down")
        return f"{whole}; {depths[0]} spooled meanwhile; {await nothing_lost(scene, gateway, seconds=30)}"


@row(
    "R-02",
    "`web` is killed in the middle of 200 streams: every request the provider saw has exactly one row, completed or"
    " interrupted, and an interrupted one holds all bytes but those of the last second.",
    quick=True,
)
async def web_killed(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        streams = scene.pick(50, 200)
        asked = [
            asyncio.create_task(client.ask("slow;ms=50;events=400", reading=Reading(keep=True))) for _ in range(streams)
        ]
        await until(lambda: gateway.status()["in_flight"] == streams, "all streams are in flight")
        await asyncio.sleep(2)
        kill(gateway.webs()[0])
        killed = time.monotonic()
        answers = await asyncio.gather(*asked)
        cut = [answer for answer in answers if answer.ending == "cut"]
        require(len(cut) == streams, f"only {len(cut)} of {streams} streams were running when web was killed")
        again = await until_served(client)
        text = await nothing_lost(scene, gateway)
        rows = unique(await gateway.rows())
        upstream = {id_of(line) for line in scene.seen()}
        require(upstream <= rows.keys(), "the provider saw requests that have no row")
        behind = [await held_back(gateway, rows[answer.id], answer) for answer in cut]
        return f"{text}; at most {max(behind)} bytes behind; served again {again - killed:.1f} s after"


async def held_back(gateway: Gateway, row: dict[str, Any], answer: Received) -> int:
    """How many of the bytes the client got the history does not hold."""
    require(row["outcome"] == "interrupted", f"{answer.id} is {row['outcome']}, not interrupted")
    kept = (await asyncio.to_thread(gateway.console.ask, "raw", id=row["id"], part="response")).encode("latin-1")
    short = min(len(kept), len(answer.body))
    require(kept[:short] == answer.body[:short], f"{answer.id}: the history holds other bytes than were relayed")
    behind = max(0, len(answer.body) - len(kept))
    last = answer.arrivals[-1][0]
    early = max((total for at, total in answer.arrivals if at <= last - FSYNC_SECONDS), default=0)
    require(early > 0, f"{answer.id}: too little had come to tell")
    require(len(kept) >= early, f"{answer.id}: {behind} bytes are missing, more than the last second's")
    return behind


async def until_served(client: LoadClient, seconds: float = 20) -> float:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (await client.ask()).ok:
            return time.monotonic()
        await asyncio.sleep(0.05)
    require(False, f"not served again within {seconds:g} s")
    return 0.0


@row(
    "R-03",
    "`loader` is killed 20 times while it works, and `worker` once for every third: nothing is lost, nothing stored"
    " twice, no client notices, and the sums by hour and day are those of the turns.",
    quick=True,
)
async def loader_killed(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        over = asyncio.Event()
        work = asyncio.create_task(client.keep_asking(over, MIXED, scene.pick(12, 20)))
        try:
            for number in range(scene.pick(4, 20)):
                loader = await asyncio.to_thread(gateway.process, "loader")
                await asyncio.sleep(0.7 + 0.13 * number % 0.5)
                kill(loader)
                await until(lambda loader=loader: not loader.is_running(), "the loader is dead")
                if number % 3 == 2:
                    kill(await asyncio.to_thread(gateway.process, "worker"))
        finally:
            over.set()
            answers = await work
        bad = [answer for answer in answers if answer.ending != "whole"]
        require(not bad, f"{len(bad)} answers were not whole, such as {bad[:1]}")
        text = await nothing_lost(scene, gateway)
        return f"{len(answers)} exchanges; {text}; summed up {await rolled_up(gateway)}"


@row(
    "R-06",
    "PostgreSQL stands still (SIGSTOP), and then a table is locked, for a minute each, under 200 streams of callers"
    " with keys: as R-01, and keys go on being checked.",
    timed=True,
)
async def postgres_stalled(scene: Scene) -> str:
    keys = scene.directory / "keys"
    keys.write_text("ada=tl_ada-and-her-key-0123456789\n")
    settings = {"TURNLOG_ACCESS_KEYS_FILE": str(keys), "TURNLOG_ANTHROPIC_KEY": "sk-ant-api03-the-gateways-own"}
    async with scene.gateway(**settings) as gateway:
        client = scene.client(gateway)
        seconds = scene.pick(4, 60)
        answers: list[Received] = []
        headers = [(b"authorization", b"Bearer tl_ada-and-her-key-0123456789"), KEY[1]]

        async def load() -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                ask = [client.ask("slow;ms=100;events=10", headers=headers) for _ in range(scene.pick(40, 200))]
                answers.extend(await asyncio.gather(*ask))
                refused = await client.ask(headers=[(b"x-api-key", b"tl_nobody")])
                require(refused.status == 401, f"a wrong key got {refused.status} while PostgreSQL stood still")

        with stopped(gateway.process("postgres")):
            await load()
        with gateway.connect() as connection:
            connection.autocommit = False
            connection.execute("LOCK TABLE gateway_requestlog IN ACCESS EXCLUSIVE MODE")
            await load()
            connection.rollback()
        whole = all_whole(answers, "streams")
        return f"{whole}; {await nothing_lost(scene, gateway, seconds=60)}"
