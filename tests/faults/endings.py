"""S-05 to S-10: clients that leave or stop reading, providers that fall silent, die or refuse."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.faults.checker import compare, id_of, nothing_lost, unique
from tests.faults.client import LoadClient, Reading, Received
from tests.faults.registry import require, row
from tests.faults.scene import Gateway, Scene, until


def line_of(scene: Scene, id: str) -> dict[str, Any] | None:
    """The provider's note of this request, once it has one."""
    return next((line for line in scene.seen() if id_of(line) == id), None)


async def noted(scene: Scene, id: str) -> dict[str, Any]:
    """The same, waited for: the provider notes an exchange when it is over, maybe after the client has it."""
    found: dict[str, Any] = await until(lambda: line_of(scene, id), f"the provider's note of {id}", 5)
    return found


async def row_of(scene: Scene, gateway: Gateway, answer: Received) -> dict[str, Any]:
    """Its one row in the history."""
    await gateway.settle()
    found = unique(await gateway.rows()).get(answer.id)
    require(found is not None, f"{answer.id} has no row")
    assert found is not None
    return found


def expect(row: dict[str, Any], outcome: str) -> None:
    require(row["outcome"] == outcome, f"the row says {row['outcome']}, not {outcome}")


@row(
    "S-05",
    "A client that stops reading for ever is cut off after TURNLOG_CLIENT_WRITE_TIMEOUT; the row says client_stalled.",
)
async def reader_stops(scene: Scene) -> str:
    async with scene.gateway(TURNLOG_CLIENT_WRITE_TIMEOUT="2") as gateway:
        client = scene.client(gateway)
        stalled = asyncio.Event()

        def stop(noted: Received) -> bool:
            return stalled.is_set()

        # The little that is read never opens the network's window again: for the gateway the client has stopped.
        task = asyncio.create_task(
            client.ask("endless", reading=Reading(rate=1000, stop=stop, receive_buffer=4096), id="fault-stalled")
        )
        began = time.monotonic()
        await until(lambda: line_of(scene, "fault-stalled"), "the provider's connection is closed", 15)
        took = time.monotonic() - began
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = await row_of(scene, gateway, client.received[-1])
        expect(found, "client_stalled")
        require(found["response_bytes"] > 0, "the row has none of the bytes")
        return f"closed after {took:.1f} s, {found['response_bytes']} bytes in the row"


@row(
    "S-06",
    "A client that leaves, also while the provider is silent: the provider's connection is closed within a second, the"
    " row says client_disconnected and holds what was relayed, and the next request is served untouched.",
    quick=True,
)
async def client_leaves(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        # Processes that have just begun may take longer for their first request than the next client stays.
        require((await client.ask()).ok, "the first request failed")
        waits = []
        scenarios = ("slow;ms=20;events=2000", "silence;after_events=4", "no_headers")
        for scenario in scenarios:
            left = await leave(client, scenario)
            line = await until(lambda id=left.id: line_of(scene, id), "the provider's connection is closed", 5)
            require(line["aborted"], "the provider was not left")
            waits.append(line["ended_at"] - (left.at + left.seconds))
            found = await row_of(scene, gateway, left)
            expect(found, "client_disconnected")
            require(found["response_kept"] >= left.bytes, "the row holds less than the client got")
        require(max(waits) <= 1.0, f"the provider's connection lived on for {max(waits):.2f} s")
        require((await client.ask()).ok, "the next request failed")
        text = await nothing_lost(scene, gateway)
        return f"provider left after {', '.join(f'{max(0.0, wait) * 1000:.0f}' for wait in waits)} ms; {text}"


async def leave(client: LoadClient, scenario: str) -> Received:
    """Read for half a second, then close."""
    task = asyncio.create_task(client.ask(scenario))
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return client.received[-1]


@row(
    "S-07",
    "A client that closes its sending side and reads on gets its whole answer or is treated as gone; either way the"
    " exchange has its row, and nothing stays open.",
)
async def half_close(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        answers = [await client.ask("slow;ms=20;events=20", reading=Reading(half_close=True)) for _ in range(10)]
        web = gateway.webs()[0]
        text = await nothing_lost(scene, gateway)
        rows = unique(await gateway.rows())
        for answer in answers:
            wanted = "completed" if answer.ending == "whole" else "client_disconnected"
            expect(rows[answer.id], wanted)
        open_now = len(web.net_connections("tcp"))
        require(open_now <= 5, f"{open_now} connections are open afterwards")
        endings = {answer.ending for answer in answers}
        return f"ended {', '.join(sorted(endings))}; {text}"


@row(
    "S-08",
    "A provider without headers is 504 in the caller's form after TURNLOG_HEADER_TIMEOUT; one that falls silent ends"
    " with the dialect's error event after TURNLOG_IDLE_TIMEOUT and the row upstream_stalled; a slow stream of any"
    " length lives.",
    quick=True,
)
async def provider_silent(scene: Scene) -> str:
    async with scene.gateway(TURNLOG_HEADER_TIMEOUT="1.5", TURNLOG_IDLE_TIMEOUT="1.5") as gateway:
        client = scene.client(gateway)
        none, silent, steady = await asyncio.gather(
            client.ask("no_headers", reading=Reading(keep=True)),
            client.ask("silence;after_events=3", reading=Reading(keep=True)),
            client.ask("slow;ms=700;events=4"),
        )
        require(none.status == 504 and b"timeout_error" in none.body, f"no headers: {none.status} {none.body[:200]!r}")
        require(1.4 <= none.seconds <= 4, f"no headers: answered after {none.seconds:.1f} s")
        require(silent.ending == "cut", f"a silent stream ended {silent.ending}")
        require(b"message_start" in silent.body, "what the provider sent before its silence did not arrive")
        require(b"event: error" in silent.body, f"no error event at the end: {silent.body[-200:]!r}")
        require(steady.ok and steady.seconds > 3, f"a slow stream ended {steady.ending} after {steady.seconds:.1f} s")
        await gateway.settle()
        rows = unique(await gateway.rows())
        expect(rows[silent.id], "upstream_stalled")
        expect(rows[none.id], "upstream_stalled")
        expect(rows[steady.id], "completed")
        return (
            f"504 after {none.seconds:.1f} s, event after {silent.seconds:.1f} s, {steady.seconds:.1f} s of slow stream"
        )


BREAKS = ("cut_rst", "cut_clean_close", "truncated_content_length", "chunked_garbage", "cut_rst;after_bytes=700")


@row(
    "S-09",
    "A provider that dies within its answer: what it sent arrives, the connection is cut and never ended cleanly, the"
    " row says upstream_aborted and holds those bytes.",
    quick=True,
)
async def provider_dies(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        answers = {scenario: await client.ask(scenario) for scenario in BREAKS}
        text = await nothing_lost(scene, gateway)
        rows = unique(await gateway.rows())
        for scenario, answer in answers.items():
            require(answer.status == 200, f"{scenario}: status {answer.status}")
            require(answer.ending == "cut", f"{scenario}: the client saw the answer end {answer.ending}")
            expect(rows[answer.id], "upstream_aborted")
            line = await noted(scene, answer.id)
            require(answer.sha256 == line["response_sha256"], f"{scenario}: not all that was sent arrived")
            require(rows[answer.id]["response_sha256"] == answer.sha256, f"{scenario}: the row holds other bytes")
        require((await client.ask()).ok, "the next request failed")
        return text


ERRORS = (400, 401, 403, 404, 413, 429, 500, 502, 503, 529)
KEPT = (b"retry-after", b"x-should-retry", b"request-id", b"content-type")


@row(
    "S-10",
    "An error answer of the provider reaches the client with its status, its bytes and its headers (`retry-after`,"
    " `anthropic-ratelimit-*`), asked once.",
    quick=True,
)
async def errors_pass(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        client = scene.client(gateway)
        answers = [await client.ask(f"error_{status}") for status in ERRORS]
        text = await nothing_lost(scene, gateway)
        lines = scene.seen()
        require(len(lines) == len(ERRORS), f"the provider was asked {len(lines)} times for {len(ERRORS)} requests")
        for status, answer in zip(ERRORS, answers, strict=True):
            line = await noted(scene, answer.id)
            require(answer.status == status and answer.ending == "whole", f"{status} came as {answer.status}")
            sent = [(name.lower(), value) for name, value in line["response_headers"] if is_kept(name)]
            got = [(n.decode().lower(), v.decode()) for n, v in answer.headers if is_kept(n.decode())]
            require(sent == got, f"{status}: headers {got} instead of {sent}")
        compare(lines, client.received, await gateway.rows())
        return text


def is_kept(name: str) -> bool:
    return name.lower().encode() in KEPT or name.lower().startswith("anthropic-ratelimit-")
