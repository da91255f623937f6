"""S-23: the way to the provider does not come about: names, refusals, black holes, certificates, a new address."""

from __future__ import annotations

import asyncio
import time

from tests.faults.checker import nothing_lost
from tests.faults.client import LoadClient, Reading, Received
from tests.faults.nemesis import FaultProxy, deaf_port
from tests.faults.registry import require, row
from tests.faults.scene import Scene
from tests.gateway.upstream.certificates import make_certificate, server_side

CONNECT_SECONDS = 2.0


@row(
    "S-23",
    "A name that does not resolve, a refused or never answered connection, an untrusted certificate: 502 that says why,"
    " within TURNLOG_CONNECT_TIMEOUT; when the provider is reachable again it is reached, without a restart.",
    quick=True,
)
async def unreachable(scene: Scene) -> str:
    said = [
        await never(scene, "name", "http://no-such-host.invalid"),
        await black_hole(scene),
        await untrusted(scene),
        await comes_back(scene),
    ]
    return "; ".join(said)


async def never(scene: Scene, name: str, upstream: str) -> str:
    timeout = f"{CONNECT_SECONDS:g}"
    async with scene.gateway(scene.directory / name, upstream=upstream, TURNLOG_CONNECT_TIMEOUT=timeout) as gateway:
        client = LoadClient(gateway.host, gateway.port, scene.directory / f"{name}.jsonl")
        answer = await client.ask(reading=Reading(keep=True))
        refused(name, answer)
        await gateway.settle()
        rows = await gateway.rows()
        require(len(rows) == 1 and rows[0]["status_code"] == 502, f"{name}: the row says {rows[:1]}")
        return f"{name}: 502 after {answer.seconds * 1000:.0f} ms"


def refused(name: str, answer: Received) -> None:
    require(answer.status == 502, f"{name}: {answer.status} {answer.ending} {answer.body[:200]!r}")
    require(b"api_error" in answer.body and b"anthropic" in answer.body, f"{name}: does not say why: {answer.body!r}")
    require(answer.seconds < CONNECT_SECONDS + 2, f"{name}: answered after {answer.seconds:.1f} s")


async def black_hole(scene: Scene) -> str:
    with deaf_port() as port:
        return await never(scene, "black hole", f"http://127.0.0.1:{port}")


async def untrusted(scene: Scene) -> str:
    """Nobody vouches for the one, and the other is over."""
    told = []
    for name, days in (("untrusted certificate", 1), ("expired certificate", -1)):
        folder = scene.directory / f"{days}"
        folder.mkdir()
        context = server_side(make_certificate(folder, days_left=days))
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
        try:
            told.append(await never(scene, name, f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
        finally:
            server.close()
    return "; ".join(told)


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def comes_back(scene: Scene) -> str:
    host, port = scene.provider.url.removeprefix("http://").split(":")
    async with FaultProxy((host, int(port))) as proxy:
        timeouts = {"TURNLOG_CONNECT_TIMEOUT": "2", "TURNLOG_HEADER_TIMEOUT": "1.5"}
        async with scene.gateway(upstream=proxy.url, **timeouts) as gateway:
            client = scene.client(gateway)
            seen = []
            for mode, wanted in (("refuse", 502), ("reset", 502), ("black_hole", 504), ("pass", 200)):
                await proxy.turn(mode)
                began = time.monotonic()
                answer = await client.ask()
                if mode == "pass" and answer.status == 502:
                    answer = await client.ask()  # the pooled connection was one of the old mode's
                require(answer.status == wanted, f"{mode}: {answer.status} instead of {wanted}")
                seen.append(f"{mode} {answer.status} in {(time.monotonic() - began) * 1000:.0f} ms")
            await proxy.turn("reset")  # a connection of the old mode would not be cut
            await proxy.turn("pass")
            proxy.cut_after = 3000
            cut = await client.ask("slow;ms=5;events=60")
            if cut.status == 502:
                cut = await client.ask("slow;ms=5;events=60")
            require(cut.status == 200 and cut.ending == "cut", f"cut after 3000 bytes: {cut.status} {cut.ending}")
            proxy.cut_after, proxy.latency = None, 0.05
            late = await client.ask()
            require(late.ok, f"with latency: {late.status} {late.ending}")
            seen.append(f"cut after 3000 bytes {cut.status} {cut.ending}")
            await nothing_lost(scene, gateway)
            return ", ".join(seen)
