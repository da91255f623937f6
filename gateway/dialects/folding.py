"""Neutral events folded into a whole answer, and a whole answer told as events: for a caller and a provider of whom one
streams and the other does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from gateway.dialects.answer import (
    NO_USAGE,
    Answer,
    BlockEnded,
    CitationAdded,
    Failed,
    Finished,
    RefusalDelta,
    Sealed,
    Started,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
    WholeBlock,
)
from gateway.dialects.failures import ErrorKind
from gateway.dialects.turn import Part, Refusal, Text, Thinking, ToolCall, Unknown

_UNFINISHED: Final = Failed(ErrorKind.API_ERROR, "The provider's answer broke off before its end.")

replace = msgspec.structs.replace


class Fold:
    """`add` events, then take the `result`."""

    def __init__(self) -> None:
        self._started: Started | None = None
        self._last: Finished | Failed | None = None
        self._content: list[Part] = []
        self._open: Part | None = None
        self._pieces: list[str] = []
        self._steps: dict[type[StreamEvent], Callable[[Any], None]] = {
            Started: self._start,
            TextDelta: lambda event: self._grow(Text, event.text),
            ThinkingDelta: lambda event: self._grow(Thinking, event.text),
            RefusalDelta: lambda event: self._grow(Refusal, event.text),
            Sealed: self._seal,
            ToolCallStarted: self._begin_call,
            ToolCallDelta: lambda event: self._pieces.append(event.arguments),
            CitationAdded: self._cite,
            WholeBlock: self._add_whole,
            BlockEnded: lambda _: self._close(),
            Finished: self._end,
            Failed: self._end,
        }

    def add(self, events: Iterable[StreamEvent]) -> None:
        for event in events:
            self._steps[type(event)](event)

    def result(self) -> Answer | Failed:
        """The answer, or why there is none."""
        if isinstance(self._last, Failed):
            return self._last
        started = self._started or Started("", "")
        if self._last is None:
            return _UNFINISHED
        usage = combine(started.usage, self._last.usage)
        return Answer(
            started.id, started.model, tuple(self._content), self._last.stop, usage, started.created, self._last.extras
        )

    def _start(self, started: Started) -> None:
        self._started = started

    def _grow(self, kind: type[Text | Thinking | Refusal], text: str) -> None:
        if type(self._open) is not kind:
            self._close()
            self._open = kind("")
        self._pieces.append(text)

    def _begin_call(self, call: ToolCallStarted) -> None:
        self._close()
        self._open = ToolCall(call.id, call.name, "", call.kind, call.namespace)

    def _seal(self, sealed: Sealed) -> None:
        if sealed.redacted:
            self._close()
            self._content.append(Thinking("", sealed.seal, redacted=True))
            return
        if not isinstance(self._open, Thinking):
            self._grow(Thinking, "")
        assert isinstance(self._open, Thinking)
        self._open = replace(self._open, seal=sealed.seal)

    def _cite(self, cited: CitationAdded) -> None:
        if not isinstance(self._open, Text):
            self._grow(Text, "")
        assert isinstance(self._open, Text)
        citations: tuple[Unknown, ...] = (*self._open.citations, cited.citation)
        self._open = replace(self._open, citations=citations)

    def _add_whole(self, whole: WholeBlock) -> None:
        self._close()
        self._content.append(whole.block)

    def _close(self) -> None:
        block, self._open = self._open, None
        said = "".join(self._pieces)
        self._pieces.clear()
        if isinstance(block, ToolCall):
            self._content.append(replace(block, arguments=said))
        elif isinstance(block, (Text, Thinking, Refusal)):
            self._content.append(replace(block, text=said))

    def _end(self, last: Finished | Failed) -> None:
        self._close()
        self._last = last


def combine(early: Usage, late: Usage) -> Usage:
    """What the end said, and of the rest what the start said."""
    if early == NO_USAGE:
        return late
    known = {name: value for name in Usage.__struct_fields__ if (value := getattr(late, name)) not in (None, "")}
    return replace(early, **known)


def fold(events: Iterable[StreamEvent]) -> Answer | Failed:
    """A whole stream's events as an answer."""
    folded = Fold()
    folded.add(events)
    return folded.result()


def unfold(answer: Answer) -> list[StreamEvent]:
    """The events of an answer that came at once."""
    events: list[StreamEvent] = [Started(answer.id, answer.model, answer.usage, answer.created)]
    for part in answer.content:
        events += _unfold_part(part)
    return [*events, Finished(answer.stop, answer.usage, answer.extras)]


def _unfold_part(part: Part) -> list[StreamEvent]:
    if isinstance(part, Text):
        return [TextDelta(part.text), *map(CitationAdded, part.citations), BlockEnded()]
    if isinstance(part, Thinking):
        said: list[StreamEvent] = [ThinkingDelta(part.text)] if part.text else []
        seal: list[StreamEvent] = [Sealed(part.seal, part.redacted)] if part.seal is not None else []
        return [*said, *seal, BlockEnded()]
    if isinstance(part, Refusal):
        return [RefusalDelta(part.text), BlockEnded()]
    if isinstance(part, ToolCall):
        begun = ToolCallStarted(part.id, part.name, part.kind, part.namespace)
        return [begun, *([ToolCallDelta(part.arguments)] if part.arguments else []), BlockEnded()]
    return [WholeBlock(part)]
