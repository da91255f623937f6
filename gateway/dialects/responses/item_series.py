"""Output items that a stream may interleave, put one behind the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.dialects.answer import (
    BlockEnded,
    CitationAdded,
    RefusalDelta,
    Sealed,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    WholeBlock,
)
from gateway.dialects.turn import Part, Refusal, Text, Thinking, ToolCall

BLOCK_END: Final = BlockEnded()


class ItemState(msgspec.Struct):
    """What is known of one item. `part`: which of its parts is open; None: none is. `said`: deltas came."""

    part: tuple[str, int] | None = None
    said: bool = False
    named: bool = False
    done: bool = False
    thought: str = ""


class ItemSeries:
    """Events of the item whose turn it is pass; those of others wait until it is done."""

    def __init__(self) -> None:
        self.items: dict[int, ItemState] = {}
        self.called = False
        self.spoke = False
        self.refused = False
        self._current: int | None = None
        self._waiting: dict[int, list[StreamEvent]] = {}

    def item(self, index: int) -> ItemState:
        state = self.items.get(index)
        if state is None:
            state = self.items[index] = ItemState()
        return state

    def put(self, index: int, event: StreamEvent, events: list[StreamEvent]) -> None:
        if self._current is None:
            self._current = index
        if self._current == index:
            events.append(event)
        else:
            self._waiting.setdefault(index, []).append(event)

    def open_part(self, index: int, part: tuple[str, int], events: list[StreamEvent]) -> None:
        """The next delta belongs to this part: one that is still open ends."""
        state = self.item(index)
        if state.part is not None and state.part != part:
            self.put(index, BLOCK_END, events)
        state.part = part
        state.said = True

    def close_part(self, index: int, events: list[StreamEvent]) -> None:
        state = self.item(index)
        if state.part is not None:
            self.put(index, BLOCK_END, events)
            state.part = None

    def end(self, index: int, parts: Iterable[Part], events: list[StreamEvent]) -> None:
        """The item is done. `parts` is what it holds: what the deltas did not tell is told now."""
        state = self.item(index)
        if state.done:
            return
        state.done = True
        for part in parts:
            for event in rest_of(part, state):
                self.put(index, event, events)
            self._note(part)
        self.close_part(index, events)
        self._move_on(index, events)

    def _note(self, part: Part) -> None:
        self.called |= isinstance(part, ToolCall)
        self.spoke |= isinstance(part, Text)
        self.refused |= isinstance(part, Refusal)

    def _move_on(self, index: int, events: list[StreamEvent]) -> None:
        if self._current != index:
            return
        self._current = None
        while self._waiting and self._current is None:
            following = min(self._waiting)
            events += self._waiting.pop(following)
            if not self.items[following].done:
                self._current = following

    def finish(self, events: list[StreamEvent]) -> None:
        """No more comes: what is open ends, what waits follows."""
        for index in sorted(self.items):
            self.end(index, (), events)


def rest_of(part: Part, state: ItemState) -> list[StreamEvent]:
    """The events that tell what of `part` was not told. The block they leave open is `state.part`."""
    if isinstance(part, ToolCall):
        return _rest_of_call(part, state)
    if isinstance(part, Thinking):
        return _rest_of_thought(part, state)
    if isinstance(part, Text | Refusal):
        return [] if state.said else _whole_words(part)
    return [WholeBlock(part)]


def _rest_of_call(call: ToolCall, state: ItemState) -> list[StreamEvent]:
    events: list[StreamEvent] = []
    if not state.named:
        events.append(ToolCallStarted(call.id, call.name, call.kind, call.namespace))
        state.named = True
    if not state.said and call.arguments:
        events.append(ToolCallDelta(call.arguments))
    state.part = ("call", 0)
    return events


def _rest_of_thought(thinking: Thinking, state: ItemState) -> list[StreamEvent]:
    events: list[StreamEvent] = []
    if not state.said and thinking.text:
        events.append(ThinkingDelta(thinking.text))
        state.part = ("thought", 0)
    if thinking.seal is not None:
        events.append(Sealed(thinking.seal, redacted=not (state.said or thinking.text)))
        state.part = ("thought", 0)
    return events


def _whole_words(part: Text | Refusal) -> list[StreamEvent]:
    if not part.text:
        return []
    if isinstance(part, Refusal):
        return [RefusalDelta(part.text), BLOCK_END]
    return [TextDelta(part.text), *(CitationAdded(note) for note in part.citations), BLOCK_END]
