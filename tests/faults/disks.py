"""R-07 and R-08: a disk that is full, under the spool and under PostgreSQL."""

from __future__ import annotations

import asyncio
import json

from tests.faults.checker import all_whole, nothing_lost
from tests.faults.client import LoadClient, Reading, Received
from tests.faults.nemesis import fill, held_postgres, small_disk
from tests.faults.registry import require, row
from tests.faults.scene import Scene, until

LARGE = json.dumps({"model": "m", "stream": True, "pad": "0123456789abcdef" * 16_384}).encode()


async def ask_large(client: LoadClient, count: int) -> list[Received]:
    return await client.many(count, lambda _: client.ask("text", body=LARGE), at_once=4)


@row(
    "R-07",
    "The spool's disk is full: `available` serves on and counts by reason exactly what is not recorded, `strict`"
    " answers 503 with `retry-after`; nothing crashes, and recording begins again by itself when there is room.",
    quick=True,
)
async def spool_disk_full(scene: Scene) -> str:
    return f"available: {await available(scene)}; strict: {await strict(scene)}"


async def available(scene: Scene) -> str:
    data_dir = scene.directory / "available"
    with small_disk(data_dir / "spool", 16) as disk:
        async with scene.gateway(data_dir) as gateway:
            client = scene.client(gateway)
            with held_postgres(data_dir):
                await gateway.until_status(lambda status: status["database"] == "down", "PostgreSQL is down")
                answers = await ask_large(client, 80)
                # The faster they are served the more of them come before the writer has found the disk full.
                while not (dropped := gateway.status()["dropped"]) and len(answers) < 400:
                    answers += await ask_large(client, 20)
                whole = all_whole(answers, "requests on a full disk")
                require(dropped.get("disk_full", 0) > 0, f"nothing was counted as dropped: {dropped}")
            status = await gateway.settle()
            client_count = len(client.received)
            require(status["balanced"], f"the line is wrong: {status}")
            missing = client_count - len(await gateway.rows())
            counted = sum(status["dropped"].values())
            require(missing == counted, f"{missing} exchanges have no row, {counted} are counted as dropped")
            await until(lambda: "history is kept again" in gateway.run.output, "recording has begun again", 20)
            again = await client.ask()
            text = await nothing_lost(scene, gateway, unrecorded=counted)
            rows = await gateway.rows()
            require(any(row["client_request_id"] == again.id for row in rows), "a later request is not recorded")
            require(not (disk / "quarantine").exists(), "a torn file was left behind")
            return f"{whole}; {counted} counted as dropped, as many have no row; {text}"


async def strict(scene: Scene) -> str:
    data_dir = scene.directory / "strict"
    with small_disk(data_dir / "spool", 16) as disk:
        async with scene.gateway(data_dir, TURNLOG_CAPTURE_POLICY="strict") as gateway:
            client = scene.client(gateway)
            require((await client.ask()).ok, "the first request failed")
            ballast = fill(disk)
            refused = None
            for _ in range(100):
                answer = await client.ask("text", body=LARGE, reading=Reading(keep=True))
                if answer.status == 503:
                    refused = answer
                    break
                await asyncio.sleep(0.05)
            require(refused is not None, "no request was refused")
            assert refused is not None
            require(refused.header(b"retry-after"), "the refusal has no retry-after")
            require(b"history" in refused.body, f"the refusal does not say why: {refused.body[:200]!r}")
            ballast.unlink()

            async def serves() -> bool:
                return (await client.ask()).ok

            for _ in range(100):
                if await serves():
                    break
                await asyncio.sleep(0.1)
            require(await serves(), "not served again when there was room")
            await gateway.settle()
            return "503 with retry-after, served again when there was room"


@row(
    "R-08",
    "PostgreSQL's disk is full: clients notice nothing, the spool holds, and when there is room everything is in the"
    " history.",
)
async def database_disk_full(scene: Scene) -> str:
    data_dir = scene.directory / "data"
    with small_disk(data_dir / "postgres", 192) as disk:
        async with scene.gateway(data_dir) as gateway:
            client = scene.client(gateway)
            require((await client.ask()).ok, "the first request failed")
            ballast = await asyncio.to_thread(fill, disk)
            answers = []
            for _ in range(scene.pick(6, 30)):
                answers += await ask_large(client, 20)
            whole = all_whole(answers, "requests")
            held = gateway.status()["spooled"]
            require(held > 0, "the disk was not full enough: nothing was held back")
            ballast.unlink()
            return f"{whole}; {held} held in the spool; {await nothing_lost(scene, gateway)}"
