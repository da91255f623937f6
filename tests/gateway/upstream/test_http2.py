"""Providers spoken to by HTTP/2: real TLS and sockets; what is sent, what comes, and what happens when it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from h2.errors import ErrorCodes

from gateway.upstream.failures import (
    BodyTimedOut,
    BrokenAnswer,
    HeadersTimedOut,
    Unreachable,
    UnsendableRequest,
    WriteTimedOut,
)
from gateway.upstream.http2 import Http2Transport
from tests.gateway.upstream.asking import Asker, body_of, broken_body, stream_of, until
from tests.gateway.upstream.certificates import make_certificate, server_side, trusting
from tests.upstream import FakeProvider
from tests.upstream.http2 import EVENTS, Asked, Http2Provider, OneByOne, stream


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
async def spoken(pem: Path) -> AsyncIterator[Http2Provider]:
    async with Http2Provider(server_side(pem)) as running:
        yield running


@pytest.fixture
async def shared(pem: Path) -> AsyncIterator[Http2Transport]:
    made = Http2Transport(make_tls=lambda: trusting(pem))
    yield made
    await made.aclose()


@pytest.fixture
def ask2(spoken: Http2Provider, shared: Http2Transport) -> Asker:
    return Asker(shared, spoken.url)


async def test_a_request_arrives_as_it_was_and_an_answer_comes_as_it_is(ask2: Asker, spoken: Http2Provider) -> None:
    extra = [(b"X-Api-Key", b"sk-ant-secret"), (b"Connection", b"keep-alive"), (b"X-Twice", b"1"), (b"X-Twice", b"2")]
    body = bytes(range(256)) * 4000
    response = await ask2(extra=extra, body=body)
    assert response.extensions["http_version"] == b"HTTP/2"
    assert response.status_code == 200
    assert response.headers.raw == [(b"content-type", b"text/event-stream")]
    assert await body_of(response) == b"".join(EVENTS)
    (asked,) = spoken.asked
    assert asked.body == body
    assert asked.headers == [
        (b":method", b"POST"), (b":scheme", b"https"), (b":authority", f"127.0.0.1:{spoken.port}".encode()),
        (b":path", b"/v1/messages?beta=true"), (b"x-scenario", b"text"), (b"x-api-key", b"sk-ant-secret"),
        (b"x-twice", b"1"), (b"x-twice", b"2"), (b"content-length", str(len(body)).encode()),
    ]  # fmt: skip


async def test_every_piece_is_handed_on_when_it_comes(ask2: Asker, spoken: Http2Provider) -> None:
    script = spoken.script = OneByOne()
    response = await ask2()
    pieces = []
    async for piece in stream_of(response):
        pieces.append(piece)
        script.taken.set()
    assert [piece for piece in pieces if piece] == EVENTS


async def test_requests_share_a_connection_up_to_what_the_provider_allows(pem: Path) -> None:
    hold = asyncio.Event()

    async def held(asked: Asked) -> None:
        await hold.wait()
        await stream(asked)

    async with Http2Provider(server_side(pem), at_once=2) as spoken:
        transport = Http2Transport(make_tls=lambda: trusting(pem))
        ask = Asker(transport, spoken.url)
        await body_of(await ask())
        spoken.script = held
        waiting = [asyncio.create_task(ask()) for _ in range(4)]
        await until(lambda: len(spoken.asked) == 5)
        assert len(spoken.lines) == 2
        hold.set()
        assert [await body_of(await each) for each in waiting] == [b"".join(EVENTS)] * 4
        assert transport.idle_connections == 2
        transport.release_idle()
        await until(lambda: not spoken.lines)
        await transport.aclose()


@pytest.mark.parametrize("moment", ["before the head", "within the answer"])
async def test_who_gives_up_resets_the_stream_and_no_other(ask2: Asker, spoken: Http2Provider, moment: str) -> None:
    async def silent(asked: Asked) -> None:
        if asked.named(b"x-scenario") == b"other":
            await stream(asked)
        elif moment == "within the answer":
            asked.head()
            await asked.send(EVENTS[0])

    spoken.script = silent
    task = asyncio.create_task(ask2())
    if moment == "before the head":
        await until(lambda: len(spoken.asked) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        stream_of(await task).abort()
    await until(lambda: [asked.code for asked in spoken.resets] == [ErrorCodes.CANCEL])
    assert await body_of(await ask2("other")) == b"".join(EVENTS)
    assert spoken.connections == 1


async def test_an_answer_nobody_reads_waits_at_the_provider_and_the_others_go_on(
    ask2: Asker, spoken: Http2Provider
) -> None:
    size, sent = 8 * 1024 * 1024, 0

    async def large(asked: Asked) -> None:
        nonlocal sent
        if asked.named(b"x-scenario") != b"large":
            return await stream(asked)
        asked.head()
        while sent < size:
            await asked.send(bytes(65536))
            sent += 65536
        await asked.send(b"", end=True)

    spoken.script = large
    response = await ask2("large", read=0.3)
    await until(lambda: sent > 900_000)
    for _ in range(5):  # and its reader's slowness is no silence of the provider
        assert await body_of(await ask2("small")) == b"".join(EVENTS)
        await asyncio.sleep(0.1)
    assert sent < 2 * 1024 * 1024
    assert len(await body_of(response)) == size


async def test_what_the_provider_did_not_take_is_sent_again(ask2: Asker, spoken: Http2Provider) -> None:
    async def refused(asked: Asked) -> None:
        await asked.whole.wait()
        if asked.number == 1:
            asked.reset(ErrorCodes.REFUSED_STREAM)
        else:
            await stream(asked)

    spoken.script = refused
    assert await body_of(await ask2()) == b"".join(EVENTS)
    assert len(spoken.asked) == 2


async def test_a_reset_before_the_answer_is_a_broken_answer(ask2: Asker, spoken: Http2Provider) -> None:
    async def broken(asked: Asked) -> None:
        asked.reset(ErrorCodes.INTERNAL_ERROR)

    spoken.script = broken
    with pytest.raises(BrokenAnswer, match="INTERNAL_ERROR") as caught:
        await ask2()
    assert (caught.value.phase, caught.value.unseen) == ("headers", False)
    assert spoken.connections == 1


async def test_a_reset_within_the_answer_comes_after_what_came(ask2: Asker, spoken: Http2Provider) -> None:
    async def broken(asked: Asked) -> None:
        asked.head()
        await asked.send(EVENTS[0])
        asked.reset(ErrorCodes.INTERNAL_ERROR)

    spoken.script = broken
    came, failure = await broken_body(await ask2())
    assert came == EVENTS[0]
    assert isinstance(failure, BrokenAnswer)
    assert failure.phase == "body"


async def test_a_goaway_lets_what_was_taken_end_and_the_rest_go_elsewhere(ask2: Asker, spoken: Http2Provider) -> None:
    begun, other = asyncio.Event(), asyncio.Event()

    async def leaving(asked: Asked) -> None:
        await asked.whole.wait()
        if asked.named(b"x-scenario") == b"long":
            asked.head()
            await asked.send(EVENTS[0])
            begun.set()
            await other.wait()
            await asked.send(b"".join(EVENTS[1:]), end=True)
        elif len(spoken.lines) == 1:
            asked.line.goaway(last=1)
        else:
            await stream(asked)

    spoken.script = leaving
    response = await ask2("long")
    await begun.wait()
    assert await body_of(await ask2("short")) == b"".join(EVENTS)
    assert spoken.connections == 2
    other.set()
    assert await body_of(response) == b"".join(EVENTS)
    await until(lambda: len(spoken.lines) == 1)


@pytest.mark.parametrize("begun", [False, True])
async def test_a_connection_that_goes_breaks_what_is_on_it(ask2: Asker, spoken: Http2Provider, begun: bool) -> None:
    async def gone(asked: Asked) -> None:
        await asked.whole.wait()
        if begun:
            asked.head()
            await asked.send(EVENTS[0])
        asked.line.transport.close()

    spoken.script = gone
    if begun:
        came, failure = await broken_body(await ask2())
        assert came == EVENTS[0]
    else:
        with pytest.raises(httpx.TransportError) as caught:
            await ask2()
        failure = caught.value
    assert isinstance(failure, BrokenAnswer)
    assert failure.phase == ("body" if begun else "headers")
    spoken.script = stream
    assert await body_of(await ask2()) == b"".join(EVENTS)


async def nothing(asked: Asked) -> None:
    return


async def test_each_time_out_has_its_name(ask2: Asker, spoken: Http2Provider) -> None:
    spoken.script = nothing
    with pytest.raises(HeadersTimedOut):
        await ask2(headers=0.2)
    spoken.takes_uploads = False
    with pytest.raises(WriteTimedOut):
        await ask2(body=bytes(3_000_000), write=0.2)

    async def falls_silent(asked: Asked) -> None:
        asked.head()
        await asked.send(EVENTS[0])

    spoken.script = falls_silent
    came, failure = await broken_body(await ask2(body=b"", read=0.2))
    assert (came, type(failure)) == (EVENTS[0], BodyTimedOut)
    await until(lambda: len(spoken.resets) == 3)
    assert spoken.connections == 1


async def test_an_answer_before_the_upload_is_over_stops_it(ask2: Asker, spoken: Http2Provider) -> None:
    async def refuses(asked: Asked) -> None:
        asked.head(413, (b"retry-after", b"3"))
        await asked.send(b"too large", end=True)

    spoken.takes_uploads = False
    spoken.script = refuses
    response = await ask2(body=bytes(3_000_000))
    assert (response.status_code, await body_of(response)) == (413, b"too large")
    await until(lambda: len(spoken.resets) == 1)


async def test_a_provider_without_http2_is_asked_by_http1(
    pem: Path, shared: Http2Transport, caplog: pytest.LogCaptureFixture
) -> None:
    async with FakeProvider(tls=server_side(pem)) as old:
        ask = Asker(shared, old.url)
        for _ in range(3):
            response = await ask()
            assert response.extensions["http_version"] == b"HTTP/1.1"
            await body_of(response)
        assert (len(old.requests), old.connection_count) == (3, 1)
    assert [record.message for record in caplog.records] == ["127.0.0.1 speaks no HTTP/2: it is asked by HTTP/1.1"]


async def test_without_tls_http1_is_spoken(provider: FakeProvider, shared: Http2Transport) -> None:
    response = await Asker(shared, provider.url)()
    assert response.extensions["http_version"] == b"HTTP/1.1"
    await body_of(response)


async def test_one_that_is_not_trusted_is_not_asked(spoken: Http2Provider, tmp_path: Path) -> None:
    transport = Http2Transport()
    with pytest.raises(Unreachable, match="TLS"):
        await Asker(transport, spoken.url)()
    assert not spoken.asked
    await transport.aclose()


async def test_a_line_break_is_not_sent(ask2: Asker, spoken: Http2Provider) -> None:
    with pytest.raises(UnsendableRequest):
        await ask2(extra=[(b"x-odd", b"a\r\nb: c")])
    assert await body_of(await ask2()) == b"".join(EVENTS)
    assert len(spoken.asked) == 1


async def test_what_is_idle_or_old_is_closed(pem: Path, spoken: Http2Provider) -> None:
    transport = Http2Transport(make_tls=lambda: trusting(pem), idle_seconds=0.2)
    await body_of(await Asker(transport, spoken.url)())
    await until(lambda: not spoken.lines)
    await transport.aclose()
    aging = Http2Transport(make_tls=lambda: trusting(pem), life_seconds=-1.0)
    for _ in range(2):
        await body_of(await Asker(aging, spoken.url)())
    assert spoken.connections == 3
    await aging.aclose()
