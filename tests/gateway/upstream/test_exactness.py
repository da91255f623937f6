"""What goes out and what comes in is the same bytes, whatever the shape."""

from __future__ import annotations

import json

import httpx
import pytest

from gateway.upstream.failures import UnsendableRequest
from gateway.upstream.wire import WireTiming
from tests.gateway.upstream.asking import BODY, Asker, body_of, chunks_of, stream_of
from tests.upstream import Exchange, FakeProvider

ODD_HEADERS = [
    (b"X-ODD-case", b"One"),
    (b"x-odd-CASE", b"two"),
    (b"empty", b""),
    (b"latin", "é".encode("latin-1")),
    (b"Authorization", b"Bearer  two  blanks"),
]


async def test_the_request_leaves_as_it_was_given(ask: Asker, provider: FakeProvider) -> None:
    target = b"/v1/messages?a=%2F%zz&&b=1;c&%C3%A9+x"
    response = await ask("echo", target=target, extra=ODD_HEADERS)
    seen = json.loads(await body_of(response))
    host = ["Host", ask.url.netloc.decode()]
    length = ["Content-Length", str(len(BODY))]
    given = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in ODD_HEADERS]
    assert seen["headers"] == [host, ["x-scenario", "echo"], *given, length]
    assert seen["target"].encode("latin-1") == target
    assert seen["http_version"] == "1.1"
    assert provider.requests[0].body == BODY


async def test_the_head_of_the_answer_comes_as_it_was_sent(ask: Asker, provider: FakeProvider) -> None:
    response = await ask("duplicate_headers")
    await body_of(response)
    await provider.answered(1)
    assert response.headers.raw == provider.responses[0].headers
    assert response.status_code == 200
    assert response.extensions["reason_phrase"] == b"OK"
    assert response.extensions["http_version"] == b"HTTP/1.1"


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH", "QUERY"])
async def test_any_method_goes_out(ask: Asker, provider: FakeProvider, method: str) -> None:
    await body_of(await ask("echo", method=method, body=b""))
    assert provider.requests[0].method == method


SHAPES = [
    "text",
    "thinking",
    "crlf",
    "cr",
    "comments",
    "unknown_events",
    "invalid_utf8",
    "nul",
    "bom",
    "no_final_blank",
    "gzip",
    "br",
    "zstd",
    "deflate",
    "split_every;n=1",
    "split_every;n=7",
    "one_write",
    "big_line;mb=10",
    "trailers",
    "http10_no_length",
    "cl_and_te",
    "huge_header",
    "one_hundred_continue",
    "early_hints;count=3",
    "empty_200",
    "empty_stream",
    "hop_by_hop",
    "close_each",
    "error_529",
    "html_503",
    "redirect",
    "no_content",
    "json_although_stream",
]


@pytest.mark.parametrize("scenario", SHAPES)
async def test_the_body_is_what_the_provider_sent(ask: Asker, provider: FakeProvider, scenario: str) -> None:
    body = await body_of(await ask(scenario))
    await provider.answered(1)
    sent = provider.responses[0]
    assert len(body) == sent.body_bytes
    assert body == sent.body
    assert sent.is_finished


@pytest.mark.parametrize("with_length", [True, False])
async def test_a_head_request_has_no_body_whatever_its_headers_promise(
    ask: Asker, provider: FakeProvider, with_length: bool
) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 99\r\n" if with_length else b"") + b"\r\n")

    provider.script("head", answer)
    for _ in range(2):
        response = await ask("head", method="HEAD", body=b"")
        assert await body_of(response) == b""
    assert provider.connection_count == (1 if with_length else 2)


async def test_a_large_upload_arrives_whole(ask: Asker, provider: FakeProvider) -> None:
    body = bytes(range(256)) * 4096 * 33
    response = await ask("echo", body=body)
    await body_of(response)
    assert provider.requests[0].body == body


async def test_each_flush_of_the_provider_is_a_chunk_at_once(ask: Asker, provider: FakeProvider) -> None:
    async def one_by_one(exchange: Exchange) -> None:
        await exchange.head(200, [])
        for index in range(20):
            await exchange.body(b"event %d\n\n" % index)
            await taken(index)
        await exchange.end()

    read: list[bytes] = []

    async def taken(index: int) -> None:
        await provider.until(lambda: len(read) > index)

    provider.script("one_by_one", one_by_one)
    stream = stream_of(await ask("one_by_one"))
    async for chunk in stream:
        read.append(chunk)
        provider.wake()
    assert read == [b"event %d\n\n" % index for index in range(20)]


async def test_what_arrives_in_one_read_is_one_chunk(ask: Asker, provider: FakeProvider) -> None:
    async def at_once(exchange: Exchange) -> None:
        await exchange.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"
        )

    provider.script("at_once", at_once)
    assert await chunks_of(await ask("at_once")) == [b"abc"]


@pytest.mark.parametrize(
    ("target", "pair"),
    [
        pytest.param(b"/a\r\nX: y", (b"a", b"b"), id="a line break in the target"),
        pytest.param(b"/a b", (b"a", b"b"), id="a blank in the target"),
        pytest.param(b"/a", (b"a", b"b\r\nX: y"), id="CRLF in a value"),
        pytest.param(b"/a", (b"a", b"b\nX: y"), id="LF in a value"),
        pytest.param(b"/a", (b"a\r", b"b"), id="CR in a name"),
    ],
)
async def test_a_request_that_would_smuggle_is_refused_before_anything_is_sent(
    ask: Asker, provider: FakeProvider, target: bytes, pair: tuple[bytes, bytes]
) -> None:
    with pytest.raises(UnsendableRequest):
        await ask("text", target=target, extra=[pair])
    assert provider.connection_count == 0


async def test_a_body_given_as_a_stream_is_framed_as_its_headers_say(ask: Asker, provider: FakeProvider) -> None:
    pairs = [(b"Host", b"x"), (b"Transfer-Encoding", b"chunked")]
    request = httpx.Request("POST", ask.url.join("/v1/messages"), headers=pairs, stream=httpx.ByteStream(b"abc"))
    await body_of(await ask.transport.handle_async_request(request))
    assert provider.requests[0].was_chunked
    assert provider.requests[0].body == b"abc"


async def test_the_response_says_how_it_was_connected(ask: Asker) -> None:
    first = await ask()
    await body_of(first)
    second = await ask()
    await body_of(second)
    assert isinstance(first.extensions["wire"], WireTiming)
    assert first.extensions["wire"].connected_us > 0
    assert second.extensions["wire"] == WireTiming(None, True)
