"""What an answer is doing right now, seen as it goes by, while somebody looks at the live pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.api.streaming import ExchangeStream

NAMED = re.compile(rb'"name"\s*:\s*"([^"\\]{1,64})"')
STARTS = (b"content_block_start", b"output_item.added", b'"tool_calls"')
"""One of them stands in every event, of any dialect, that begins a tool call; the first two begin other parts, too."""
CALLS = (b"tool_use", b"function_call", b"custom_tool_call", b'"tool_calls"', b"local_shell_call")
THINKING = (b'"thinking"', b'"reasoning"')
AROUND_A_DELTA = 90
"""Bytes of an event beside the text it brings, roughly."""
BYTES_A_TOKEN = 4


class LiveWatch:
    """Of one answer. `activity`: `tool:NAME`, `thinking`, `writing`, or empty before anything is known."""

    __slots__ = (
        "_news", "_told", "activity", "id_text", "said", "size", "status", "stream", "told",
    )  # fmt: skip

    def __init__(self, stream: ExchangeStream, news: list[LiveWatch]) -> None:
        self.stream: ExchangeStream | None = stream
        self.id_text = stream.exchange.id_text
        self._news = news
        """Where it tells that something else is done now; how much it was is looked for now and then."""
        self.activity = ""
        self.size = 0
        """Bytes of the body so far."""
        self.said = 0
        """Bytes of text in them, roughly."""
        self.status: int | None = None
        self.told = False
        """Its beginning was told."""
        self._told: tuple[int, str, int | None] = (-1, "", None)

    def feed(self, chunk: bytes) -> None:
        size = len(chunk)
        if not self.size:
            self._news.append(self)
        self.size += size
        if size > AROUND_A_DELTA:
            self.said += size - AROUND_A_DELTA
        for mark in STARTS:
            if mark in chunk:
                self._read_start(chunk)
                return

    def _read_start(self, chunk: bytes) -> None:
        before = self.activity
        self._take_start(chunk)
        if self.activity != before:
            self._news.append(self)

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

    def give_up(self) -> None:
        """It failed; what is known stays."""

    @property
    def tokens(self) -> int:
        """Of the answer so far, by its length: an estimate until the provider says it."""
        return self.said // BYTES_A_TOKEN

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell that was not told."""
        return (self.size, self.activity, self.status) != self._told

    def note_told(self) -> None:
        self.told = True
        self._told = self.size, self.activity, self.status
