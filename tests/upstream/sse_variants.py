"""Scenarios that send the right events in unusual bytes, and those that send the right bytes in unusual pieces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.upstream.answers import Answer
from tests.upstream.exchange import Exchange
from tests.upstream.messages_api import dump


def rewritten(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Exchange], Awaitable[None]]:
    """A scenario whose stream is the normal one put through `change`."""

    async def scenario(exchange: Exchange) -> None:
        answer = exchange.answer
        events = change(answer.events if answer.events is not None else [answer.body])
        await exchange.answer_whole(Answer(answer.status, answer.headers, events=events))

    return scenario


def crlf(events: list[bytes]) -> list[bytes]:
    return [event.replace(b"\n", b"\r\n") for event in events]


def cr(events: list[bytes]) -> list[bytes]:
    return [event.replace(b"\n", b"\r") for event in events]


def comments(events: list[bytes]) -> list[bytes]:
    return [b": keep-alive\n\n" + b"id: 7\nretry: 3000\n:\n" + event + b"\n\n" for event in events]


def unknown_events(events: list[bytes]) -> list[bytes]:
    made = b'event: brand_new_thing\ndata: {"type":"brand_new_thing","value":[1,2,{"x":null}]}\n\n'
    return [part for event in events for part in (event, made)]


def invalid_utf8(events: list[bytes]) -> list[bytes]:
    return [*events[:-1], b"event: odd\ndata: \xff\xfe\xc3(\n\n", *events[-1:]]


def nul(events: list[bytes]) -> list[bytes]:
    return [*events[:-1], b"event: odd\ndata: a\0b\n\n", *events[-1:]]


def bom(events: list[bytes]) -> list[bytes]:
    return [b"\xef\xbb\xbf" + events[0], *events[1:]]


def no_final_blank(events: list[bytes]) -> list[bytes]:
    return [*events[:-1], events[-1].rstrip(b"\n")]


def malformed_data(events: list[bytes]) -> list[bytes]:
    return [*events[:-1], b'event: content_block_delta\ndata: {"type":"content_block_delta",\n\n', *events[-1:]]


async def big_line(exchange: Exchange) -> None:
    """One data line of `mb` (10) megabytes before the last event."""
    size = int(exchange.number("mb", 10) * 1_000_000)
    line = b'event: ping\ndata: {"type":"ping","padding":"' + b"p" * size + b'"}\n\n'
    answer = exchange.answer
    events = answer.events if answer.events is not None else [answer.body]
    await exchange.answer_whole(Answer(200, answer.headers, events=[*events[:-1], line, *events[-1:]]))


async def split_every(exchange: Exchange) -> None:
    """The normal body in pieces of `n` (1) bytes, each its own chunk."""
    answer = exchange.answer
    size = int(exchange.number("n", 1))
    whole = answer.whole()
    parts = [whole[start : start + size] for start in range(0, len(whole), size)]
    await exchange.answer_whole(Answer(answer.status, answer.headers, events=parts))


async def one_write(exchange: Exchange) -> None:
    """The whole answer, head and all chunks, in one write."""
    whole = exchange.answer.whole()
    await exchange.answer_whole(Answer(200, exchange.answer.headers, events=[whole]))


async def duplicate_headers(exchange: Exchange) -> None:
    extra = [
        (b"Set-Cookie", b"a=1; path=/"),
        (b"SET-cookie", b"b=2; path=/"),
        (b"X-oDD-CaSe", b"yes"),
        (b"x-empty", b""),
    ]
    await exchange.answer_whole(exchange.answer, extra)


async def hop_by_hop(exchange: Exchange) -> None:
    extra = [
        (b"Connection", b"keep-alive, X-Secret-Hop"),
        (b"X-Secret-Hop", b"for the next hop only"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Proxy-Authenticate", b"Basic"),
        (b"Trailer", b"X-Checksum"),
        (b"X-End-To-End", b"kept"),
    ]
    await exchange.answer_whole(exchange.answer, extra)


async def usage_missing(exchange: Exchange) -> None:
    """A stream that ends after its content: no message_delta, no stop reason."""
    answer = exchange.answer
    events = [event for event in answer.events or [] if b"message_delta" not in event and b"message_stop" not in event]
    await exchange.answer_whole(Answer(answer.status, answer.headers, events=events))


async def refusal(exchange: Exchange) -> None:
    """The stop reason is `reason` (refusal)."""
    wanted = exchange.params.get("reason", "refusal")
    answer = exchange.answer
    old, new = dump({"stop_reason": "end_turn"})[1:-1], dump({"stop_reason": wanted})[1:-1]
    events = None if answer.events is None else [event.replace(old, new) for event in answer.events]
    await exchange.answer_whole(Answer(200, answer.headers, answer.body.replace(old, new), events))


VARIANTS = {
    **{
        change.__name__: rewritten(change)
        for change in (crlf, cr, comments, unknown_events, invalid_utf8, nul, bom, no_final_blank, malformed_data)
    },
    "big_line": big_line,
    "split_every": split_every,
    "one_write": one_write,
    "duplicate_headers": duplicate_headers,
    "hop_by_hop": hop_by_hop,
    "usage_missing": usage_missing,
    "stop_reason": refusal,
}
