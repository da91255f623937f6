"""The rules of a Responses stream: numbered events, items announced and then done, exactly one terminal event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.dialects.grammar import objects_in
from gateway.dialects.json_values import JSONObject, object_or_none, objects_of
from gateway.dialects.sse import ServerSentEvent

_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_IN_PARTS: Final = ("response.output_text.", "response.refusal.", "response.content_part.")
_PREFIXED: Final = "response."


def violations(events: Iterable[ServerSentEvent]) -> list[str]:
    """Every way a stream breaks its own rules; an empty list means well-formed. Unknown events are allowed."""
    check = _Check()
    for number, payload in objects_in(events, check.found, named=True):
        check.take(number, str(payload.get("type")), payload)
    return check.finish()


class _Check:
    def __init__(self) -> None:
        self.found: list[str] = []
        self._number = 0
        self._sequence = -1
        self._created = False
        self._ended = ""
        self._open: dict[int, JSONObject] = {}
        self._done: dict[int, JSONObject] = {}
        self._parts: set[tuple[int, int]] = set()

    def _say(self, sentence: str) -> None:
        self.found.append(f"event {self._number} {sentence}")

    def take(self, number: int, kind: str, payload: JSONObject) -> None:
        self._number = number
        self._check_order(kind, payload)
        if kind in _TERMINAL or kind == "error":
            self._end(kind, payload)
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._take_item(kind.rpartition(".")[2], payload)
        elif "output_index" in payload:
            self._touch_item(kind, payload)

    def _check_order(self, kind: str, payload: JSONObject) -> None:
        sequence = payload.get("sequence_number")
        if not isinstance(sequence, int) or sequence <= self._sequence:
            self._say(f"has sequence number {sequence!r} after {self._sequence}")
        else:
            self._sequence = sequence
        if self._ended:
            self._say(f"({kind}) comes after {self._ended}")
        if kind == "response.created":
            self._created = True
        elif kind.startswith(_PREFIXED) and not self._created:
            self._say(f"({kind}) comes before response.created")

    def _take_item(self, step: str, payload: JSONObject) -> None:
        index, item = payload.get("output_index"), object_or_none(payload.get("item"))
        if item is None or not isinstance(index, int):
            return self._say("holds no item, or none with an index")
        if step == "added":
            if index != len(self._open) + len(self._done):
                self._say(f"adds item {index!r} where {len(self._open) + len(self._done)} is due")
            self._open[index] = item
        elif index not in self._open:
            self._say(f"ends item {index!r}, which is not open")
        else:
            if self._open.pop(index).get("id") != item.get("id"):
                self._say(f"ends item {index!r} under another id")
            self._done[index] = item

    def _touch_item(self, kind: str, payload: JSONObject) -> None:
        index, content_index = payload["output_index"], payload.get("content_index", 0)
        if not isinstance(index, int) or index not in self._open or not isinstance(content_index, int):
            return self._say(f"({kind}) touches item {index!r}, which is not open")
        if payload.get("item_id", self._open[index].get("id")) != self._open[index].get("id"):
            self._say(f"({kind}) touches item {index!r} under another id")
        part = (index, content_index)
        if kind == "response.content_part.added":
            if object_or_none(payload.get("part")) is None:
                self._say("adds a content part without the part")
            self._parts.add(part)
        elif kind.startswith(_IN_PARTS) and part not in self._parts:
            self._say(f"({kind}) touches a content part that was never added")

    def _end(self, kind: str, payload: JSONObject) -> None:
        self._ended = kind
        response = object_or_none(payload.get("response"))
        if kind == "error":
            return
        if response is None:
            return self._say("ends the response without it")
        if response.get("status") != kind.removeprefix(_PREFIXED):
            self._say(f"({kind}) holds a response of status {response.get('status')!r}")
        if kind == "response.completed":
            self._check_output(response)

    def _check_output(self, response: JSONObject) -> None:
        if self._open:
            self._say(f"completes the response while item {min(self._open)} is open")
        streamed = [item.get("id") for item in self._done.values()]
        output = [item.get("id") for item in objects_of(response.get("output"))]
        if sorted(map(str, streamed)) != sorted(map(str, output)):
            self._say("holds other items than the stream")

    def finish(self) -> list[str]:
        if not self._ended:
            self.found.append("the stream has no end")
        return self.found
