"""S-17, S-18: more connections and more memory than there is."""

from __future__ import annotations

import asyncio
import resource
import time
from collections import Counter

from tests.faults.checker import all_whole, compare
from tests.faults.client import Received
from tests.faults.registry import require, row
from tests.faults.scene import Scene

DESCRIPTORS = 1024
STORM = 2000


@row(
    "S-17",
    "2 000 connections within a second on a `web` process of 1 024 file descriptors: it lives, every one is served or"
    " gets 503 with `retry-after`, and it serves at once when they are gone.",
    quick=True,
)
async def connect_storm(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        await client.ask()
        web = gateway.webs()[0]
        resource.prlimit(web.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        began = time.monotonic()
        asked = [
            asyncio.create_task(asyncio.wait_for(client.ask("slow;ms=50;events=20"), 60))
            for _ in range(scene.pick(1200, STORM))
        ]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        answers = [answer for answer in ended if isinstance(answer, Received)]
        hung = len(ended) - len(answers)
        kinds = Counter((answer.status, answer.ending) for answer in answers)
        require(web.is_running(), f"web died: {kinds}")
        require(hung == 0, f"{hung} connections got no answer within a minute: {kinds}")
        took = time.monotonic() - began
        after = await client.ask()
        require(after.ok and after.seconds < 2, f"afterwards {after.status}, {after.ending} in {after.seconds:.1f} s")
        await gateway.settle()
        compare(scene.seen(), client.received, await gateway.rows())
        told = ", ".join(f"{status} {ending} {n}" for (status, ending), n in sorted(kinds.items()))
        wrong = [kind for kind in kinds if kind not in ((200, "whole"), (503, "whole"))]
        require(not wrong, f"web lives and loses no record, but the answers were: {told}; wanted are 200 and 503 only")
        return f"in {took:.0f} s: {told}"


@row(
    "S-18",
    "At 80 % of the memory a `web` process may have new requests get 503, while running streams go on; it is never"
    " killed for memory.",
)
async def memory_watermark(scene: Scene) -> str:
    async with scene.gateway(TURNLOG_MAX_REQUEST_BYTES="67108864") as gateway:
        client = scene.client(gateway)
        await client.many(20, lambda _: client.ask())
        web = gateway.webs()[0]
        room = web.memory_info().vms + 300 * 1024 * 1024
        resource.prlimit(web.pid, resource.RLIMIT_AS, (room, room))
        streams = [asyncio.create_task(client.ask("slow;ms=100;events=80")) for _ in range(20)]
        await asyncio.sleep(0.5)
        body = b'{"model":"m","pad":"' + b"x" * 30_000_000 + b'"}'
        large = await client.many(30, lambda _: client.ask("slow;first_ms=3000", body=body), at_once=30)
        kinds = Counter((answer.status, answer.ending) for answer in large)
        told = ", ".join(f"{status} {ending} {count}" for (status, ending), count in kinds.items())
        require(web.is_running() and web.status() != "zombie", f"web died; the large requests got {told}")
        all_whole(await asyncio.gather(*streams), "streams beside a flood of large requests")
        wrong = [kind for kind in kinds if kind not in ((200, "whole"), (503, "whole"))]
        require(not wrong, f"the large requests got {told}; wanted are 200 and 503 only")
        return told
