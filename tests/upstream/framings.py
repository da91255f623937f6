"""Scenarios about HTTP/1.1 itself: framing, heads that surprise, connections that end. Parameters: see scenarios.py."""

from __future__ import annotations

import asyncio
import base64

from tests.upstream.answers import Answer
from tests.upstream.exchange import Exchange
from tests.upstream.parts import begin, part, pieces


async def cut_clean_close(exchange: Exchange) -> None:
    await part(exchange)
    await exchange.close()


async def cut_rst(exchange: Exchange) -> None:
    """`settle_ms` (50): time for the sent part to arrive, because RST throws away what is under way."""
    await part(exchange)
    await asyncio.sleep(exchange.number("settle_ms", 50) / 1000)
    exchange.reset()


async def rst_before_headers(exchange: Exchange) -> None:
    exchange.reset()


async def close_before_headers(exchange: Exchange) -> None:
    await exchange.close()


async def truncated_content_length(exchange: Exchange) -> None:
    """Content-Length promises `short` (100) bytes more than come."""
    whole = exchange.answer.whole()
    await begin(exchange, len(whole) + int(exchange.number("short", 100)))
    await exchange.body(whole)
    await exchange.close()


async def chunked_garbage(exchange: Exchange) -> None:
    await part(exchange)
    await exchange.send(b"zz not a size\r\nfoo\r\n")
    await exchange.close()


async def cl_and_te(exchange: Exchange) -> None:
    whole = exchange.answer.whole()
    answer = Answer(200, [*exchange.answer.headers, (b"Content-Length", b"7")], whole, events=[whole])
    await exchange.answer_whole(answer)


async def two_content_lengths(exchange: Exchange) -> None:
    await exchange.head(200, [(b"Content-Length", b"5")], 6)
    await exchange.send(b"hello!")
    await exchange.close()


async def huge_header(exchange: Exchange) -> None:
    """One header of `size` (200000) bytes."""
    await exchange.answer_whole(exchange.answer, [(b"X-Huge", b"h" * int(exchange.number("size", 200_000)))])


async def one_hundred_continue(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    await exchange.answer_whole(exchange.answer)


async def early_hints(exchange: Exchange) -> None:
    """`count` (1) heads with 103 and `ms_between` before the final one."""
    for _ in range(int(exchange.number("count", 1))):
        await exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
        await asyncio.sleep(exchange.number("ms_between", 0) / 1000)
    await exchange.answer_whole(exchange.answer)


async def switching_protocols(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: foo\r\n\r\nraw bytes")
    await exchange.leave()


async def http10_no_length(exchange: Exchange) -> None:
    await exchange.head(exchange.answer.status, exchange.answer.headers, "close", version="1.0")
    for piece in pieces(exchange):
        await exchange.body(piece)
    exchange.sent.is_finished = True
    await exchange.close()


async def no_content(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 204 No Content\r\nX-Fake: yes\r\n\r\n")
    exchange.sent.status = 204
    exchange.sent.is_finished = True


async def trailers(exchange: Exchange) -> None:
    await begin(exchange)
    for piece in pieces(exchange):
        await exchange.body(piece)
    await exchange.end(b"X-Checksum: abc\r\nX-Last: 1\r\n")


async def raw(exchange: Exchange) -> None:
    """Exactly `data` (base64), cut at the offsets `cuts` (comma list) with `ms` between; `end` close|rst|stay."""
    data = base64.b64decode(exchange.params.get("data", ""))
    offsets = [int(offset) for offset in exchange.params.get("cuts", "").split(",") if offset]
    for start, stop in zip([0, *offsets], [*offsets, len(data)], strict=True):
        await exchange.send(data[start:stop])
        await exchange.pause()
    exchange.note(data.partition(b"\r\n\r\n")[2])
    ending = exchange.params.get("end", "close")
    if ending == "rst":
        await asyncio.sleep(0.05)
        exchange.reset()
    elif ending == "close":
        await exchange.close()


async def close_each(exchange: Exchange) -> None:
    await exchange.answer_whole(exchange.answer, [(b"Connection", b"close")])
    await exchange.close()


async def close_unannounced(exchange: Exchange) -> None:
    """A keep-alive answer, then FIN all the same: the client's pooled connection is stale."""
    await exchange.answer_whole(exchange.answer)
    await exchange.close()


async def extra_bytes(exchange: Exchange) -> None:
    """Bytes after the end of the message: the connection must not be used again."""
    await exchange.answer_whole(exchange.answer)
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")


FRAMINGS = {
    made.__name__: made
    for made in (
        cut_clean_close,
        cut_rst,
        rst_before_headers,
        close_before_headers,
        truncated_content_length,
        chunked_garbage,
        cl_and_te,
        two_content_lengths,
        huge_header,
        one_hundred_continue,
        early_hints,
        switching_protocols,
        http10_no_length,
        no_content,
        trailers,
        raw,
        close_each,
        close_unannounced,
        extra_bytes,
    )
}
