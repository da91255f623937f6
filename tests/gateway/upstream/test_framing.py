"""Where a message ends: every split gives the same result, and no broken message ends cleanly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.upstream.failures import BrokenAnswer, ReadBroken, UpstreamFailure
from gateway.upstream.wire import WireTransport
from tests.gateway.upstream.asking import Asker, body_of, broken_body
from tests.upstream import Exchange, FakeProvider

CHUNKED = (
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 4\r\n\r\n"
    b"HTTP/1.1 200 Fine\r\nSet-Cookie: a\r\nset-cookie:  b \r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;name=value\r\nhello\r\n0010\r\n, \xff\x00\r\n\r\nworld!!!\r\n0\r\nX-Trailer: 1\r\n\r\n"
)
SIZED = b"HTTP/1.1 200 Fine\r\nContent-Length: 12\r\nX-Empty:\r\n\r\nhello\r\nworld"
UNSIZED = b"HTTP/1.0 200 Fine\r\nX: y\r\n\r\nuntil the end\r\n0\r\n\r\n"


@dataclass
class Piecewise:
    """Sends bytes in pieces, each a read of its own on the other side, then closes or not."""

    pieces: list[bytes]
    is_closing: bool = False

    async def __call__(self, exchange: Exchange) -> None:
        for piece in self.pieces:
            await exchange.send(piece)
            # Both ends live on one loop: two turns of it are a read of the other side.
            for _ in range(2):
                await asyncio.sleep(0)
        if self.is_closing:
            await exchange.close()


@pytest.mark.parametrize(
    ("answer", "body", "is_closing"),
    [
        pytest.param(
            CHUNKED, b"hello, \xff\x00\r\n\r\nworld!!!", False, id="chunked, with an interim head and a trailer"
        ),
        pytest.param(SIZED, b"hello\r\nworld", False, id="with a length"),
        pytest.param(UNSIZED, b"until the end\r\n0\r\n\r\n", True, id="until the connection ends"),
    ],
)
async def test_a_split_at_any_byte_changes_nothing(
    ask: Asker, provider: FakeProvider, answer: bytes, body: bytes, is_closing: bool
) -> None:
    whole = await outcome(ask, provider, Piecewise([answer], is_closing))
    assert whole[2] == body
    for offset in range(1, len(answer)):
        split = Piecewise([answer[:offset], answer[offset:]], is_closing)
        assert await outcome(ask, provider, split) == whole, f"split at {offset}"
    every = Piecewise([answer[at : at + 1] for at in range(len(answer))], is_closing)
    assert await outcome(ask, provider, every) == whole


async def outcome(
    ask: Asker, provider: FakeProvider, script: Piecewise
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    provider.script("pieces", script)
    response = await ask("pieces")
    return response.status_code, response.headers.raw, await body_of(response)


@settings(max_examples=60)
@given(
    chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=8),
    cuts=st.lists(st.integers(0, 2500), max_size=12),
    is_upper=st.booleans(),
    extension=st.sampled_from([b"", b";a=b", b';a="q"']),
)
def test_any_chunked_body_in_any_pieces_is_put_together_again(
    chunks: list[bytes], cuts: list[int], is_upper: bool, extension: bytes
) -> None:
    size = b"%X" if is_upper else b"%x"
    framed = b"".join(size % len(chunk) + extension + b"\r\n" + chunk + b"\r\n" for chunk in chunks)
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n" + framed + b"0\r\n\r\n"
    edges = sorted({cut for cut in cuts if 0 < cut < len(answer)})
    pieces = [answer[start:stop] for start, stop in zip([0, *edges], [*edges, len(answer)], strict=True)]

    async def run() -> bytes:
        async with FakeProvider() as provider:
            transport = WireTransport()
            ask = Asker(transport, provider.url)
            _, _, body = await outcome(ask, provider, Piecewise(pieces))
            assert transport.idle_connections == 1
            await transport.aclose()
            return body

    assert asyncio.run(run()) == b"".join(chunks)


@settings(max_examples=40)
@given(chunks=st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=4), data=st.data())
def test_a_chunked_body_cut_anywhere_never_ends_cleanly(chunks: list[bytes], data: st.DataObject) -> None:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    cut = data.draw(st.integers(0, len(framed) - 1))
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed[:cut]

    async def run() -> tuple[bytes, Exception]:
        async with FakeProvider() as provider:
            transport = WireTransport()
            provider.script("pieces", Piecewise([answer], is_closing=True))
            result = await broken_body(await Asker(transport, provider.url)("pieces"))
            await transport.aclose()
            return result

    body, failure = asyncio.run(run())
    assert b"".join(chunks).startswith(body)
    assert isinstance(failure, BrokenAnswer)
    assert failure.phase == "body"


OK = b"HTTP/1.1 200 OK\r\n"
BROKEN_HEADS = [
    pytest.param(b"hello world\r\n\r\n", "malformed head", id="no HTTP at all"),
    pytest.param(b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/2.0", id="another version"),
    pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", "malformed head", id="a status of four digits"),
    pytest.param(b"HTTP/1.1 099 Odd\r\n\r\n", "status 99", id="a status below 100"),
    pytest.param(b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nxx", "status 101", id="an upgrade"),
    pytest.param(b"HTTP/1.1 101 S\r\n\r\n", "status 101", id="101 without an upgrade"),
    pytest.param(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "content-length", id="two lengths"),
    pytest.param(OK + b"Content-Length: -5\r\n\r\n", "content-length", id="a negative length"),
    pytest.param(OK + b"Content-Length: 99999999999999999999999\r\n\r\n", "content-length", id="an immense length"),
    pytest.param(OK + b"No colon here\r\n\r\n", "malformed head", id="a header without a colon"),
    pytest.param(OK + b"Name : x\r\n\r\n", "malformed head", id="a blank before the colon"),
    pytest.param(OK + b"Name: x\r\n folded\r\n\r\n", "malformed head", id="a folded header"),
    pytest.param(OK + b"Name: x\x00y\r\n\r\n", "malformed head", id="NUL in a header"),
    pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "malformed head", id="bare LF"),
    pytest.param(OK + b"X: " + b"h" * 300_000 + b"\r\n\r\n", "256 kB", id="one header over the limit"),
    pytest.param(OK + b"X: " + b"h" * 300_000, "256 kB", id="a header without end"),
    pytest.param(OK + b"X: y\r\n" * 60_000 + b"\r\n", "256 kB", id="many headers over the limit"),
    pytest.param(b"HTTP/1.1 103 E\r\nX: yyyyyyyy\r\n\r\n" * 20_000, "256 kB", id="interim heads without end"),
    pytest.param(OK + b"X: y\r\n", "closed inside the head", id="closed inside the head"),
    pytest.param(b"", "closed before the answer", id="closed before the answer"),
]


@pytest.mark.parametrize(("answer", "reason"), BROKEN_HEADS)
async def test_a_broken_head_is_a_failure_in_phase_headers(
    ask: Asker, provider: FakeProvider, answer: bytes, reason: str
) -> None:
    provider.script("broken", Piecewise([answer], is_closing=True))
    with pytest.raises(httpx.RemoteProtocolError) as caught:
        await ask("broken")
    failure = caught.value
    assert isinstance(failure, UpstreamFailure)
    assert failure.phase == "headers"
    assert reason in failure.reason
    assert ask.transport.idle_connections == 0


TE = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BROKEN_BODIES = [
    pytest.param(TE + b"5\r\nhello\r\nzz\r\n", b"hello", "chunk size", id="a chunk size that is none"),
    pytest.param(TE + b"5\r\nhelloX\r\n", b"hello", "chunk data", id="a chunk longer than it says"),
    pytest.param(TE + b"5\r\nhell", b"hell", "its last chunk", id="a chunk shorter than it says"),
    pytest.param(TE + b"5\r\nhello\r\n0\r\n", b"hello", "its last chunk", id="no blank line at the end"),
    pytest.param(TE + b"5\r\nhello\r\n", b"hello", "its last chunk", id="no last chunk"),
    pytest.param(TE + b"5\nhello\n0\n\n", b"", "chunk size", id="chunks with bare LF"),
    pytest.param(TE + b"-5\r\nhello\r\n", b"", "chunk size", id="a negative chunk size"),
    pytest.param(TE + b"fffffffffffffffffff\r\n", b"", "chunk size", id="an immense chunk size"),
    pytest.param(OK + b"Content-Length: 9\r\n\r\nhello", b"hello", "promised length", id="less than its length"),
]


@pytest.mark.parametrize(("answer", "body", "reason"), BROKEN_BODIES)
async def test_a_broken_body_fails_after_what_was_good(
    ask: Asker, provider: FakeProvider, answer: bytes, body: bytes, reason: str
) -> None:
    provider.script("broken", Piecewise([answer], is_closing=True))
    came, failure = await broken_body(await ask("broken"))
    assert came == body
    assert isinstance(failure, BrokenAnswer)
    assert failure.phase == "body"
    assert reason in failure.reason
    assert ask.transport.idle_connections == 0


@pytest.mark.parametrize("scenario", ["cut_rst;after_events=3", "cut_rst;after_bytes=0"])
async def test_a_reset_inside_the_answer_is_a_read_error(ask: Asker, provider: FakeProvider, scenario: str) -> None:
    came, failure = await broken_body(await ask(scenario))
    await provider.answered(1)
    assert came == provider.responses[0].body
    assert isinstance(failure, ReadBroken)
    assert failure.reason == "connection reset inside the answer"


async def test_a_reset_before_the_answer_says_so(ask: Asker) -> None:
    with pytest.raises(ReadBroken, match="connection reset before the answer"):
        await ask("rst_before_headers")


async def test_an_early_refusal_is_read_although_the_upload_was_not_taken(ask: Asker, provider: FakeProvider) -> None:
    is_read = asyncio.Event()

    async def refuse(exchange: Exchange) -> None:
        await exchange.answer_whole(exchange.answer)
        await is_read.wait()

    provider.script("refuse", refuse, is_early=True)
    response = await ask("refuse", target=b"/nowhere", body=b"x" * 64_000_000)
    assert response.status_code == 404
    assert b"no such path" in await body_of(response)
    assert ask.transport.idle_connections == 0
    is_read.set()
    await provider.until(lambda: provider.open_connections == 0)
    assert not provider.requests[0].is_complete
