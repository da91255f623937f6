"""Timeouts, cancellation and back-pressure."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from gateway.upstream.failures import (
    BodyTimedOut,
    BrokenAnswer,
    ConnectTimedOut,
    HeadersTimedOut,
    UpstreamFailure,
    WriteTimedOut,
)
from gateway.upstream.wire import WireTransport
from tests.gateway.upstream.asking import Asker, body_of, broken_body, stream_of, until
from tests.upstream import Exchange, FakeProvider
from tests.upstream.scenarios import endless

MEGABYTE = 1_000_000


def seconds_since(started: float) -> float:
    return asyncio.get_running_loop().time() - started


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_no_head_in_time_is_a_timeout_of_the_headers(ask: Asker, provider: FakeProvider) -> None:
    started = now()
    with pytest.raises(HeadersTimedOut) as caught:
        await ask("no_headers", headers=0.3)
    assert 0.29 <= seconds_since(started) < 1.5
    assert caught.value.phase == "headers"
    assert caught.value.reason == "no answer for 0.3 s"
    await provider.until(lambda: provider.open_connections == 0)


async def test_interim_heads_do_not_stop_the_clock_of_the_headers(ask: Asker) -> None:
    with pytest.raises(HeadersTimedOut):
        await ask("early_hints;count=100;ms_between=50", headers=0.4)


async def test_silence_inside_the_answer_is_a_timeout_of_the_body(ask: Asker, provider: FakeProvider) -> None:
    started = now()
    came, failure = await broken_body(await ask("silence;after_events=2", read=0.3))
    assert 0.29 <= seconds_since(started) < 1.5
    assert isinstance(failure, BodyTimedOut)
    assert failure.phase == "body"
    await provider.until(lambda: provider.open_connections == 0)
    assert came == provider.responses[0].body


async def test_bytes_reset_the_clock_so_that_a_long_answer_never_times_out(ask: Asker) -> None:
    started = now()
    body = await body_of(await ask("slow;ms=60", read=0.3))
    assert b"message_stop" in body
    assert seconds_since(started) > 0.6


async def test_a_shorter_timeout_of_a_later_request_holds_on_the_same_connection(
    ask: Asker, provider: FakeProvider
) -> None:
    await body_of(await ask(headers=60, read=60, write=60))
    started = now()
    with pytest.raises(HeadersTimedOut):
        await ask("no_headers", headers=0.2, read=60, write=60)
    assert seconds_since(started) < 1.5
    assert provider.connection_count == 1


async def test_a_provider_that_takes_no_bytes_is_a_timeout_of_the_write(ask: Asker, provider: FakeProvider) -> None:
    body = bytes(64 * MEGABYTE)
    before = psutil.Process().memory_info().rss
    started = now()
    with pytest.raises(WriteTimedOut) as caught:
        await ask("no_read", body=body, write=0.4, headers=60)
    assert 0.39 <= seconds_since(started) < 3
    assert caught.value.phase == "write"
    assert psutil.Process().memory_info().rss - before < 24 * MEGABYTE
    await provider.until(lambda: provider.open_connections == 0)


async def test_a_slow_upload_that_moves_is_not_timed_out(transport: WireTransport) -> None:
    size = 12 * MEGABYTE

    async def take_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        taken = 0
        while taken < size:
            taken += len(await reader.read(256 * 1024))
            await asyncio.sleep(0.03)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    listener.bind(("127.0.0.1", 0))
    server = await asyncio.start_server(take_slowly, sock=listener, limit=128 * 1024)
    started = now()
    ask = Asker(transport, f"http://127.0.0.1:{listener.getsockname()[1]}")
    assert (await ask(body=bytes(size), write=0.4)).status_code == 200
    assert seconds_since(started) > 0.8
    await transport.aclose()
    server.close()


@asynccontextmanager
async def full_backlog() -> AsyncIterator[int]:
    """A port of loopback that answers no SYN: its backlog is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    port = listener.getsockname()[1]
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(("127.0.0.1", port))
    try:
        yield port
    finally:
        for held in (*fillers, listener):
            held.close()


async def test_a_provider_that_does_not_accept_is_a_timeout_of_the_connect(transport: WireTransport) -> None:
    async with full_backlog() as port:
        started = now()
        with pytest.raises(ConnectTimedOut) as caught:
            await Asker(transport, f"http://127.0.0.1:{port}")(connect=0.3)
        assert seconds_since(started) < 1.5
    assert caught.value.phase == "connect"
    assert caught.value.reason == "no connection to 127.0.0.1 within 0.3 s"


async def leave_no_trace(provider: FakeProvider) -> None:
    await provider.until(lambda: provider.open_connections == 0, seconds=1)
    mine = asyncio.current_task()
    await until(lambda: not [task for task in asyncio.all_tasks() if task is not mine])


async def test_a_cancel_while_waiting_for_the_head_closes_the_socket(ask: Asker, provider: FakeProvider) -> None:
    task = asyncio.ensure_future(ask("no_headers"))
    await provider.until(lambda: bool(provider.requests) and provider.requests[0].is_complete)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await leave_no_trace(provider)
    assert provider.requests[0].aborted


async def test_a_cancel_during_the_upload_closes_the_socket(ask: Asker, provider: FakeProvider) -> None:
    task = asyncio.ensure_future(ask("no_read", body=bytes(32 * MEGABYTE)))
    await provider.seen(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await leave_no_trace(provider)


async def test_a_cancelled_reader_can_abort_while_the_provider_is_silent(ask: Asker, provider: FakeProvider) -> None:
    response = await ask("silence")
    reading = asyncio.ensure_future(body_of(response))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    stream_of(response).abort()
    await leave_no_trace(provider)
    assert provider.requests[0].aborted


async def test_an_abort_wakes_a_reader_that_waits(ask: Asker) -> None:
    response = await ask("silence")
    reading = asyncio.ensure_future(body_of(response))
    await asyncio.sleep(0)
    stream_of(response).abort()
    with pytest.raises(BrokenAnswer, match="given up"):
        await reading


async def test_a_cancel_at_any_turn_of_the_loop_leaves_nothing(ask: Asker, provider: FakeProvider) -> None:
    for turns in range(30):
        task = asyncio.ensure_future(ask("silence"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        if not isinstance(result, BaseException):
            await result.stream.aclose()
    await leave_no_trace(provider)
    assert ask.transport.idle_connections == 0


async def test_a_reader_that_stops_stops_the_provider(ask: Asker, provider: FakeProvider) -> None:
    running: list[Exchange] = []

    async def remembered(exchange: Exchange) -> None:
        running.append(exchange)
        await endless(exchange)

    provider.script("remembered", remembered)
    before = psutil.Process().memory_info().rss
    response = await ask("remembered", read=0.4)
    stream = stream_of(response)
    first = await anext(aiter(stream))
    sent = running[0].sent
    stopped_at = await settled(lambda: sent.body_bytes)
    # What is on its way lies in the kernel's buffers, ours hold little more than the high-water mark.
    assert stream._unread < 512 * 1024
    assert stopped_at < 24 * MEGABYTE
    assert psutil.Process().memory_info().rss - before < 2 * stopped_at + 8 * MEGABYTE
    read = len(first)
    while read < stopped_at + 2 * MEGABYTE:
        read += len(await anext(stream))
    assert sent.body_bytes > stopped_at
    stream.abort()
    await leave_no_trace(provider)


async def settled(value) -> int:
    """The number once it has not changed for half a second, which is longer than the read timeout of the test."""
    last, since = value(), now()
    async with asyncio.timeout(10):
        while seconds_since(since) < 0.5:
            await asyncio.sleep(0.01)
            if value() != last:
                last, since = value(), now()
    return last


async def test_a_paused_answer_is_not_taken_for_a_silent_provider(ask: Asker) -> None:
    """The reader's pause outlasts the read timeout; the answer goes on all the same."""
    response = await ask("big_line;mb=12", read=0.2)
    await asyncio.sleep(0.7)
    assert b"message_stop" in await body_of(response)


async def test_failures_say_whether_the_connection_was_used_before(ask: Asker) -> None:
    await body_of(await ask())
    with pytest.raises(UpstreamFailure) as later:
        await ask("close_before_headers")
    with pytest.raises(UpstreamFailure) as fresh:
        await ask("close_before_headers")
    assert (later.value.reused, fresh.value.reused) == (True, False)
