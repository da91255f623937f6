"""The named scenarios: ways a provider behaves, well or badly, at the level of bytes on the wire.

`x-scenario: name;param=value;…`. Parameters all know: `content` (text, tools, thinking, parallel_tools), `text`
(percent-encoded), `events` (that many text deltas), `ms` (pause before each event). Cutting ones know `after_events`
and `after_bytes`. The rest stands at each function. `python -m tests.upstream --help` lists them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from tests.upstream.answers import Answer, answer_to, common_headers, error_answer, json_answer
from tests.upstream.encodings import encode_pieces
from tests.upstream.exchange import Exchange
from tests.upstream.framings import FRAMINGS
from tests.upstream.messages_api import ERROR_TYPES, dump, event
from tests.upstream.parts import begin, part, pieces
from tests.upstream.sse_variants import VARIANTS

Scenario = Callable[[Exchange], Awaitable[None]]
EARLY = {"no_read", "early_answer"}
"""Scenarios that run before the request's body is read."""


async def normal(exchange: Exchange) -> None:
    await exchange.answer_whole(exchange.answer)


async def slow(exchange: Exchange) -> None:
    """`ms` (20) before each event; `first_ms` before the head."""
    exchange.params.setdefault("ms", "20")
    await asyncio.sleep(exchange.number("first_ms", 0) / 1000)
    await exchange.answer_whole(exchange.answer)


async def stamped(exchange: Exchange) -> None:
    """`events` (20) events, `ms` (50) apart, each with the machine's monotonic time at which it was sent."""
    exchange.params.setdefault("ms", "50")
    await begin(exchange)
    for _ in range(int(exchange.number("events", 20))):
        await exchange.pause()
        await exchange.body(event("ping", {"type": "ping", "sent": time.monotonic()}))
    await exchange.end()


async def silence(exchange: Exchange) -> None:
    """The head and `after_events` (0) events, then nothing for ever."""
    await begin(exchange)
    for piece in pieces(exchange)[: int(exchange.number("after_events", 0))]:
        await exchange.body(piece)
    await exchange.leave()


async def no_headers(exchange: Exchange) -> None:
    await exchange.leave()


async def no_read(exchange: Exchange) -> None:
    """Takes no byte of the request's body: the client's upload stalls."""
    exchange.stop_reading()
    await exchange.leave()


async def early_answer(exchange: Exchange) -> None:
    """`status` (413) before the body is read, then the connection is closed."""
    answer = error_answer(exchange.asked, int(exchange.number("status", 413)))
    await exchange.answer_whole(answer, [(b"Connection", b"close")])
    await exchange.close()


def encoded(name: str) -> Scenario:
    """The answer in a content coding; a stream is flushed at each event."""

    async def scenario(exchange: Exchange) -> None:
        answer = exchange.answer
        is_stream = answer.events is not None
        parts = encode_pieces(name, pieces(exchange))
        extra = [(b"Content-Encoding", name.encode()), (b"Vary", b"Accept-Encoding")]
        body = b"".join(parts)
        await exchange.answer_whole(Answer(answer.status, answer.headers, body, parts if is_stream else None), extra)

    return scenario


async def gzip_bomb(exchange: Exchange) -> None:
    """`mb` (200) megabytes of zeros, packed, inside a text delta's place."""
    megabyte = b"\0" * 1_000_000
    parts = encode_pieces("gzip", [megabyte] * int(exchange.number("mb", 200)))
    answer = exchange.answer
    await exchange.answer_whole(
        Answer(200, answer.headers, b"".join(parts), parts if answer.events else None),
        [(b"Content-Encoding", b"gzip")],
    )


async def error(exchange: Exchange) -> None:
    """`status` (500), `text` (percent-encoded), `retry_after` seconds, `should_retry` true|false."""
    await error_with(exchange, int(exchange.number("status", 500)))


async def error_with(exchange: Exchange, status: int) -> None:
    text = exchange.params.get("text")
    answer = error_answer(exchange.asked, status, text and unquote(text))
    extra = []
    if "retry_after" in exchange.params or status == 429:
        extra.append((b"Retry-After", exchange.params.get("retry_after", "7").encode()))
    if "should_retry" in exchange.params or status == 429:
        extra.append((b"x-should-retry", exchange.params.get("should_retry", "true").encode()))
    await exchange.answer_whole(answer, extra)


def status_scenario(status: int) -> Scenario:
    async def scenario(exchange: Exchange) -> None:
        await error_with(exchange, status)

    return scenario


async def html_503(exchange: Exchange) -> None:
    page = b"<html><head><title>503</title></head><body><h1>Service Unavailable</h1></body></html>"
    await exchange.answer_whole(Answer(503, [(b"Content-Type", b"text/html")], page))


async def html_200(exchange: Exchange) -> None:
    await exchange.answer_whole(Answer(200, [(b"Content-Type", b"text/html")], b"<html>welcome</html>"))


def error_event_bytes(exchange: Exchange) -> bytes:
    if exchange.request.path == "/v1/chat/completions":
        reason = {"message": "fake overload", "type": "server_error", "param": None, "code": None}
        return b"data: " + dump({"error": reason}) + b"\n\n"
    if exchange.request.path == "/v1/responses":
        fields = {"type": "error", "sequence_number": 99, "code": "server_error", "message": "fake overload"}
        return event("error", {**fields, "param": None})
    reason = {"type": ERROR_TYPES[529], "message": "Overloaded"}
    return event("error", {"type": "error", "error": reason, "request_id": exchange.asked.request_id})


async def error_event(exchange: Exchange) -> None:
    """`after_events` (4) events, the dialect's error event, a clean end."""
    exchange.params.setdefault("after_events", "4")
    await part(exchange)
    await exchange.body(error_event_bytes(exchange))
    await exchange.end()


async def error_event_first(exchange: Exchange) -> None:
    exchange.params["after_events"] = "0"
    await error_event(exchange)


async def redirect(exchange: Exchange) -> None:
    """307 to `location` (the same path with ?again=1)."""
    place = exchange.params.get("location", exchange.request.path + "?again=1").encode()
    await exchange.answer_whole(Answer(307, [(b"Location", place), *common_headers(exchange.asked)]))


async def empty_200(exchange: Exchange) -> None:
    await exchange.answer_whole(Answer(200, exchange.answer.headers))


async def empty_stream(exchange: Exchange) -> None:
    await exchange.answer_whole(Answer(200, exchange.answer.headers, events=[]))


async def json_although_stream(exchange: Exchange) -> None:
    asked = exchange.asked
    asked.body = json.dumps({**asked.json(), "stream": False}).encode()
    await exchange.answer_whole(answer_to(asked))


async def endless(exchange: Exchange) -> None:
    """A stream without end: `size` (16384) bytes a piece, `rate` bytes a second (0: as fast as they are taken)."""
    await begin(exchange)
    size = int(exchange.number("size", 16_384))
    rate = exchange.number("rate", 0)
    piece = b": " + b"e" * (size - 4) + b"\n\n"
    while True:
        await exchange.body(piece)
        await asyncio.sleep(size / rate if rate else 0)


async def echo(exchange: Exchange) -> None:
    request = exchange.request
    await exchange.answer_whole(
        json_answer(
            exchange.asked,
            {
                "method": request.method,
                "target": request.target.decode("latin-1"),
                "http_version": request.http_version,
                "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers],
                "body_base64": base64.b64encode(request.body).decode(),
                "body_sha256": request.body_sha256,
                "chunked": request.was_chunked,
                "connection_id": request.connection_id,
            },
        )
    )


async def unknown_scenario(exchange: Exchange) -> None:
    text = f"no scenario {exchange.request.scenario!r}"
    await exchange.answer_whole(error_answer(exchange.asked, 418, text))


STATUSES = (400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529)
SCENARIOS = {
    "text": normal,
    "tools": normal,
    "thinking": normal,
    "parallel_tools": normal,
    **{
        made.__name__: made
        for made in (
            slow,
            stamped,
            silence,
            no_headers,
            no_read,
            early_answer,
            gzip_bomb,
            error,
            html_503,
            html_200,
            error_event,
            error_event_first,
            redirect,
            empty_200,
            empty_stream,
            json_although_stream,
            endless,
            echo,
            unknown_scenario,
        )
    },
    **FRAMINGS,
    **VARIANTS,
    **{f"error_{status}": status_scenario(status) for status in STATUSES},
    **{name: encoded(name) for name in ("gzip", "br", "zstd", "deflate")},
}
