"""What an answer is doing right now, while somebody looks at the live pages."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.api.streaming import ExchangeStream
    from gateway.metrics.live_channel import Event
    from gateway.recording.delta import Delta, Owner

NAMED = re.compile(rb'"name"\s*:\s*"([^"\\]{1,64})"')
STARTS = (b"content_block_start", b"output_item.added", b'"tool_calls"')
"""One of them stands in every event, of any dialect, that begins a tool call; the first two begin other parts, too."""
CALLS = (b"tool_use", b"function_call", b"custom_tool_call", b'"tool_calls"', b"local_shell_call")
THINKING = (b'"thinking"', b'"reasoning"')
AROUND_A_DELTA = 90
"""Bytes of an event beside the text it brings, roughly."""
BYTES_A_TOKEN = 4
JOINED_BYTES = 1024 * 1024
"""Chunks of more are searched where they lie."""
NOTHING_TOLD = (-1, "", None)


class LiveWatch:
    """Of one answer. `activity`: `tool:NAME`, `thinking`, `writing`, or empty before anything is known."""

    __slots__ = ("_fed", "_told", "activity", "id_text", "told")

    def __init__(self, id_text: str) -> None:
        self.id_text = id_text
        self.activity = ""
        self.told = False
        """Its beginning was told."""
        self._fed: int | None = None
        """Chunks, counted here where no record counts them; None: a record does."""
        self._told: tuple[int, str, int | None] = NOTHING_TOLD
        """Bytes, activity and status, as they were told last."""

    def see_start(self, chunk: bytes) -> bool:
        """Something begins in it; whether something else is done now."""
        before = self.activity
        self._take_start(chunk)
        return self.activity != before

    def _take_start(self, chunk: bytes) -> None:
        if any(mark in chunk for mark in CALLS):
            # A chunk may hold several starts: the last one is what is done now.
            names = NAMED.findall(chunk)
            if names:
                self.activity = "tool:" + names[-1].decode("utf-8", "replace")
        elif any(mark in chunk for mark in THINKING):
            self.activity = "thinking"
        elif b'"tool_calls"' not in chunk:
            self.activity = "writing"

    def feed(self, chunk: bytes) -> None:
        """A chunk of an answer whose record holds no chunks. What it does now is told with the next look at all."""
        if self._fed is not None:
            self._fed += 1
        if starts_in(chunk):
            self.see_start(chunk)

    def give_up(self) -> None:
        """It failed; what is known stays."""

    def follow(self, stream: ExchangeStream) -> None:
        """Look at the answer as it goes by, when its record does not hold it all."""
        if self._fed is None and not stream.exchange.keeps_chunks:
            self._fed = stream.exchange.chunk_count
            stream.watches = (*stream.watches, self)

    def leave(self, stream: ExchangeStream) -> None:
        if self._fed is not None:
            stream.watches = tuple(other for other in stream.watches if other is not self)

    def tokens(self, stream: ExchangeStream) -> int:
        """Of the answer so far, by its length: an estimate until the provider says it."""
        exchange = stream.exchange
        chunks = exchange.chunk_count if self._fed is None else self._fed
        return max(0, exchange.received - AROUND_A_DELTA * chunks) // BYTES_A_TOKEN

    def progress(self, stream: ExchangeStream) -> Event:
        """How far it is, as far as that was not told; now it is."""
        now = size, activity, status = stream.exchange.received, self.activity, stream.status
        if now == self._told:
            return {}
        told_size, told_activity, told_status = self._told
        self._told = now
        event: Event = {}
        if size != told_size:
            event = {"bytes": size, "tokens": self.tokens(stream)}
        if activity != told_activity:
            event["doing"] = activity
        if status != told_status:
            event["status"] = status
        return event

    def tell_all(self) -> None:
        """Everything is to be told again."""
        self.told, self._told = False, NOTHING_TOLD


def news_of(deltas: Iterable[Delta]) -> Iterator[tuple[Owner, bytes | None]]:
    """The chunks in which something begins, and None for an answer that has begun. All chunks are searched at once: of
    a hundred one or two are such."""
    chunks: list[bytes] = []
    for delta in deltas:
        chunks += delta.chunks
        if delta.head is not None:
            yield delta.owner, None
    found = find_starts(chunks)
    if found:
        owners = [delta.owner for delta in deltas for _ in delta.chunks]
        for at in sorted(found):
            yield owners[at], chunks[at]


def find_starts(chunks: Sequence[bytes]) -> set[int]:
    """Where chunks with a start stand among these."""
    if sum(map(len, chunks)) > JOINED_BYTES:
        return {at for at, chunk in enumerate(chunks) if starts_in(chunk)}
    joined, found = b"".join(chunks), set()
    marks = [mark for mark in STARTS if mark in joined]
    ends = list(accumulate(map(len, chunks))) if marks else []
    for mark in marks:
        place = joined.find(mark)
        while place >= 0:
            at = bisect_right(ends, place)
            if place + len(mark) <= ends[at]:
                found.add(at)
            place = joined.find(mark, ends[at])
    return found


def starts_in(chunk: bytes) -> bool:
    return any(mark in chunk for mark in STARTS)
