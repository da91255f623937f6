"""Which connections are used again, and which never."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from gateway.upstream.wire import WireTransport
from tests.gateway.upstream.asking import Asker, body_of, broken_body, stream_of, until
from tests.upstream import Exchange, FakeProvider


async def test_requests_in_turn_share_one_connection(ask: Asker, provider: FakeProvider) -> None:
    for scenario in ("text", "tools", "error_429", "early_hints", "trailers", "empty_200", "gzip", "no_content") * 3:
        await body_of(await ask(scenario))
    assert provider.connection_count == 1


async def test_requests_at_once_have_a_connection_each_and_the_youngest_is_used_next(
    ask: Asker, provider: FakeProvider
) -> None:
    responses = await asyncio.gather(*(ask("slow;ms=5") for _ in range(30)))
    await asyncio.gather(*(body_of(response) for response in responses))
    assert provider.connection_count == 30
    assert ask.transport.idle_connections == 30
    await body_of(await ask())
    last = provider.requests[-1].connection_id
    await body_of(await ask())
    assert provider.requests[-1].connection_id == last
    assert provider.connection_count == 30


USED_UP = [
    "close_each",
    "http10_no_length",
    "cl_and_te",
    "extra_bytes",
    "close_unannounced",
]


@pytest.mark.parametrize("scenario", USED_UP)
async def test_a_connection_in_any_doubt_is_not_used_again(ask: Asker, provider: FakeProvider, scenario: str) -> None:
    for _ in range(3):
        await body_of(await ask(scenario))
        body = await body_of(await ask("echo"))
        assert b"poison" not in body
    ids = [request.connection_id for request in provider.requests]
    assert all(first != second for first, second in zip(ids[0::2], ids[1::2], strict=True))


async def test_bytes_after_the_message_in_the_same_read_end_the_connection(ask: Asker, provider: FakeProvider) -> None:
    async def too_much(exchange: Exchange) -> None:
        message = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        await exchange.send(message + message)

    provider.script("too_much", too_much)
    assert await body_of(await ask("too_much")) == b"ok"
    assert ask.transport.idle_connections == 0
    await provider.until(lambda: provider.open_connections == 0)


async def test_a_connection_whose_body_was_not_read_is_closed_at_once(ask: Asker, provider: FakeProvider) -> None:
    response = await ask("silence;after_events=2")
    stream = stream_of(response)
    await anext(aiter(stream))
    stream.abort()
    stream.abort()
    await stream.aclose()
    await provider.until(lambda: provider.open_connections == 0, seconds=1)
    assert provider.requests[0].aborted
    assert ask.transport.idle_connections == 0


async def test_a_complete_body_frees_its_connection_before_it_is_read(ask: Asker, provider: FakeProvider) -> None:
    first = await ask("one_write")
    await until(lambda: stream_of(first).is_complete)
    second = await ask("one_write")
    for response in (second, first):
        assert (await body_of(response)).endswith(b'data: {"type":"message_stop"}\n\n')
    assert provider.connection_count == 1


async def test_an_idle_connection_that_gets_eof_is_forgotten(ask: Asker, provider: FakeProvider) -> None:
    await body_of(await ask("close_unannounced"))
    await until(lambda: ask.transport.idle_connections == 0)
    await body_of(await ask())
    assert provider.connection_count == 2


async def test_a_fin_the_loop_has_not_seen_yet_does_not_break_the_next_request(
    ask: Asker, provider: FakeProvider
) -> None:
    """The provider closes and the next request starts in the same turn of the loop."""
    kept: list[Exchange] = []

    async def answer(exchange: Exchange) -> None:
        kept.append(exchange)
        await exchange.answer_whole(exchange.answer)

    provider.script("kept", answer)
    for _ in range(20):
        await body_of(await ask("kept"))
        await provider.answered(len(kept))
        shut_down(kept[-1].transport)
        response = await ask("echo")
        assert response.status_code == 200
        assert not response.extensions["wire"].reused
        await body_of(response)
        ask.transport._pool.close()
        ask.transport._pool._is_closed = False


def shut_down(transport: asyncio.Transport) -> None:
    """Send FIN now, without the loop."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as copy:
        copy.shutdown(socket.SHUT_WR)


async def test_idle_connections_are_closed_after_their_time(provider: FakeProvider) -> None:
    transport = WireTransport(idle_seconds=1.0)
    ask = Asker(transport, provider.url)
    started = asyncio.get_running_loop().time()
    responses = [await ask("slow;ms=1") for _ in range(3)]
    for response in responses:
        await body_of(response)
    assert transport.idle_connections == 3
    await provider.until(lambda: provider.open_connections == 0)
    assert asyncio.get_running_loop().time() - started >= 1.0
    assert transport.idle_connections == 0


async def test_closing_the_transport_closes_idle_connections_and_lets_answers_finish(
    provider: FakeProvider, transport: WireTransport
) -> None:
    ask = Asker(transport, provider.url)
    reading = await ask("slow;ms=10")
    await body_of(await ask())
    assert transport.idle_connections == 1
    await transport.aclose()
    assert b"message_stop" in await body_of(reading)
    await provider.until(lambda: provider.open_connections == 0)


async def test_a_failed_connection_is_not_used_again(ask: Asker, provider: FakeProvider) -> None:
    await broken_body(await ask("chunked_garbage"))
    await body_of(await ask())
    assert provider.connection_count == 2


async def test_two_origins_do_not_share_connections(ask: Asker, provider: FakeProvider) -> None:
    async with FakeProvider() as other:
        await body_of(await ask())
        await body_of(await Asker(ask.transport, other.url)())
        assert (provider.connection_count, other.connection_count) == (1, 1)
        await ask.transport.aclose()


async def test_a_head_that_came_as_its_reader_was_cancelled_does_not_harm_the_next_request(
    ask: Asker, provider: FakeProvider
) -> None:
    """The answer is complete, so the connection may be taken before the cancelled task gets its turn."""
    for turns in range(40):
        first = asyncio.ensure_future(ask("one_write"))
        for _ in range(turns):
            await asyncio.sleep(0)
        first.cancel()
        second = await ask("echo")
        assert b"target" in await body_of(second)
        await asyncio.gather(first, return_exceptions=True)
        if not first.cancelled() and first.exception() is None:
            await first.result().stream.aclose()
