"""S-12, S-20: bodies that are large, or become large."""

from __future__ import annotations

import asyncio
import base64
import json
import random

import psutil

from tests.faults.checker import all_whole, nothing_lost, unique
from tests.faults.endings import noted
from tests.faults.registry import require, row
from tests.faults.scene import Scene

MB = 1_000_000


class Peak:
    """The most resident memory of some processes, beyond what they had at first."""

    def __init__(self, processes: dict[str, psutil.Process]) -> None:
        self._first = {name: (process, process.memory_info().rss) for name, process in processes.items()}
        self.grown = dict.fromkeys(processes, 0)
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            for name, (process, first) in self._first.items():
                self.grown[name] = max(self.grown[name], process.memory_info().rss - first)
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def told(self) -> str:
        return ", ".join(f"{name} grew by {grown / MB:.0f} MB" for name, grown in self.grown.items())


@row(
    "S-12",
    "An answer of 200 kB that unpacks to 200 MB is relayed packed; the recorder decodes no more than its bound and says"
    " so; `web` grows by less than 32 MB.",
    quick=True,
)
async def bomb(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        await client.many(10, lambda _: client.ask())
        await gateway.settle()
        peak = Peak({"web": gateway.webs()[0], "loader": gateway.process("loader")})
        answers = [await client.ask("gzip_bomb;mb=200") for _ in range(2)]
        all_whole(answers)
        text = await nothing_lost(scene, gateway)
        await peak.stop()
        require(peak.grown["web"] < 32 * MB, f"too much: {peak.told()}")
        require(peak.grown["loader"] < 400 * MB, f"too much: {peak.told()}")
        row = unique(await gateway.rows())[answers[0].id]
        shown = await asyncio.to_thread(gateway.console.ask, "show", id=row["id"])
        require(shown["parse_warnings"], "the row does not say that not all was decoded")
        return f"{peak.told()}; {shown['parse_warnings'][0]}; {text}"


def conversation(megabytes: int) -> bytes:
    """A thousand messages and base64 images, of that size in all."""
    chance = random.Random(7)
    image = base64.b64encode(chance.randbytes(600_000)).decode()
    messages: list[dict[str, object]] = [
        {"role": ("user", "assistant")[number % 2], "content": f"turn {number} " + "words " * 100}
        for number in range(1000)
    ]
    source = {"type": "base64", "media_type": "image/png", "data": image}
    while len(json.dumps(messages[-1])) * max(0, len(messages) - 1000) < (megabytes - 1) * MB:
        messages.append({"role": "user", "content": [{"type": "image", "source": source}]})
    return json.dumps({"model": "m", "max_tokens": 5, "stream": True, "messages": messages}).encode()


@row(
    "S-20",
    "A request of 32 MB with 1 000 messages and images arrives unchanged and is recorded whole; `web` grows by at most"
    " 2.5 times its size; beyond TURNLOG_MAX_REQUEST_BYTES it is 413 in the caller's form.",
    quick=True,
)
async def large_request(scene: Scene) -> str:
    async with scene.gateway(TURNLOG_MAX_REQUEST_BYTES=str(40 * MB)) as gateway:
        client = scene.client(gateway)
        await client.many(10, lambda _: client.ask())
        body = conversation(32)
        require(len(body) > 30 * MB, f"the body has only {len(body)} bytes")
        peak = Peak({"web": gateway.webs()[0]})
        answer = await client.ask(body=body)
        await asyncio.sleep(0.5)
        await peak.stop()
        require(answer.ok, f"{answer.status} {answer.ending} {answer.problem}")
        line = await noted(scene, answer.id)
        require(line["request_sha256"] == answer.request_sha256, "the provider got other bytes")
        text = await nothing_lost(scene, gateway)
        row = unique(await gateway.rows())[answer.id]
        require(row["request_sha256"] == answer.request_sha256, "the history holds other bytes")
        require(peak.grown["web"] <= 2.5 * len(body), f"too much: {peak.told()} for {len(body) / MB:.0f} MB")
        over = await client.ask(body=body + b" " * 10 * MB)
        require(over.status == 413, f"beyond the bound: {over.status} {over.ending}")
        return f"{peak.told()} for {len(body) / MB:.0f} MB; {text}"
