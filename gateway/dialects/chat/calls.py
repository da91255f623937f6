"""The tool calls of a streamed completion, put one after the other.

Servers send their fragments interleaved, without an index, with a negative one, with the same index for several calls,
with the arguments before the name, and with names in pieces. One call streams at a time; the others wait until it is
seen to be whole, at the latest at the end of the answer.
"""

from __future__ import annotations

from gateway.dialects.answer import BlockEnded, StreamEvent, ToolCallDelta, ToolCallStarted
from gateway.dialects.chat.wire import Call, Function
from gateway.dialects.json_values import NotJSONError, is_object, read_json, write_json
from gateway.dialects.turn import ToolKind


class UnnamedCallError(Exception):
    """The answer ended and a call never got its name."""


class _Slot:
    __slots__ = ("ended", "id", "kind", "name", "parts", "sent")

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.name = ""
        self.kind: ToolKind = "function"
        self.parts: list[str] = []
        self.sent = -1
        """How many parts were passed on; -1: not begun."""
        self.ended = False

    def is_whole(self) -> bool:
        if self.kind != "function":
            return False
        try:
            return is_object(read_json("".join(self.parts).encode("utf-8", "replace")).value)
        except NotJSONError:
            return False


class CallSeries:
    """`id_prefix` begins the ids of calls that came without one, or with a mere number, which the next answer's calls
    would have again. `open`: a call is streaming."""

    def __init__(self, id_prefix: str) -> None:
        self._prefix = id_prefix
        self._slots: list[_Slot] = []
        self._by_index: dict[int, _Slot] = {}
        self._current: _Slot | None = None

    @property
    def any(self) -> bool:
        return bool(self._slots)

    @property
    def open(self) -> bool:
        return self._current is not None

    def take(self, call: Call) -> list[StreamEvent]:
        """A fragment's events: those of the call that streams, and of the next when that one is seen to be whole."""
        slot = self._find(call)
        function = call.function or Function()
        if call.custom is not None:
            slot.kind = "custom"
            function = Function(call.custom.name, call.custom.input)
        name = function.name
        if name and slot.sent < 0 and name != slot.name:
            slot.name += name
        arguments = function.arguments
        if isinstance(arguments, dict):
            arguments = write_json(arguments).decode()
        if arguments and not slot.ended:
            slot.parts.append(arguments)
        events: list[StreamEvent] = []
        self._advance(slot, events)
        return events

    def _find(self, call: Call) -> _Slot:
        index = call.index if call.index is not None and call.index >= 0 else None
        given = str(call.id) if call.id is not None else ""
        known = self._by_index.get(index) if index is not None else self._find_unnumbered(given)
        if known is not None and given and known.id and given != known.id:
            known = None  # the same index for another call
        if known is None:
            known = _Slot(given)
            self._slots.append(known)
        elif given and not known.id and known.sent < 0:
            known.id = given
        if index is not None:
            self._by_index[index] = known
        return known

    def _find_unnumbered(self, call_id: str) -> _Slot | None:
        if call_id:
            return next((slot for slot in self._slots if slot.id == call_id), None)
        return self._slots[-1] if self._slots else None

    def _advance(self, slot: _Slot, events: list[StreamEvent]) -> None:
        current = self._current
        if current is slot:
            self._pass_on(slot, events)
            return
        if current is not None:
            if slot.ended or not current.is_whole():
                return
            self._end(current, events)
        # The next in the order they came that was not sent yet; its arguments show that its name is whole.
        waiting = next((other for other in self._slots if not other.ended), None)
        if waiting is not None and waiting.name and waiting.parts:
            self._pass_on(waiting, events)

    def _pass_on(self, slot: _Slot, events: list[StreamEvent]) -> None:
        if slot.sent < 0:
            made = f"{self._prefix}{self._slots.index(slot)}"
            slot.id = slot.id or made
            slot.sent = 0
            self._current = slot
            events.append(ToolCallStarted(made if slot.id.isdecimal() else slot.id, slot.name, slot.kind))
        events += [ToolCallDelta(part) for part in slot.parts[slot.sent :]]
        slot.sent = len(slot.parts)

    def _end(self, slot: _Slot, events: list[StreamEvent]) -> None:
        slot.ended = True
        self._current = None
        events.append(BlockEnded())

    def pause(self) -> list[StreamEvent] | None:
        """Something else wants to go on: the streaming call's end when it is whole, None when it is not."""
        if self._current is None:
            return []
        if not self._current.is_whole():
            return None
        events: list[StreamEvent] = []
        self._end(self._current, events)
        return events

    def finish(self) -> list[StreamEvent]:
        """Everything that is still to be said. Raises UnnamedCallError."""
        events: list[StreamEvent] = []
        for slot in self._slots:
            if slot.ended:
                continue
            if not slot.name:
                raise UnnamedCallError
            self._pass_on(slot, events)
            self._end(slot, events)
        return events
