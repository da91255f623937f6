"""Pieces of the healthy answer that scenarios are made of."""

from __future__ import annotations

from tests.upstream.exchange import Exchange


def pieces(exchange: Exchange) -> list[bytes]:
    """The answer's body as it is flushed: its events, or the whole when it is no stream."""
    answer = exchange.answer
    return [answer.body] if answer.events is None else answer.events


async def begin(exchange: Exchange, framing: str | int = "chunked") -> None:
    await exchange.head(exchange.answer.status, exchange.answer.headers, framing)


async def part(exchange: Exchange) -> None:
    """The head and the first part of the body, as `after_bytes` or `after_events` (3) says."""
    await begin(exchange)
    if "after_bytes" in exchange.params:
        await exchange.body(b"".join(pieces(exchange))[: int(exchange.params["after_bytes"])])
        return
    for piece in pieces(exchange)[: int(exchange.number("after_events", 3))]:
        await exchange.pause()
        await exchange.body(piece)
