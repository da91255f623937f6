"""The rules of a Chat Completions stream: chunks of one completion, each choice finished once, `[DONE]` at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.dialects.grammar import objects_in
from gateway.dialects.json_values import JSONObject, object_or_none, objects_of
from gateway.dialects.sse import ServerSentEvent


def violations(events: Iterable[ServerSentEvent]) -> list[str]:
    """Every way a stream breaks its own rules; an empty list means well-formed."""
    check = _Check()
    chunks, marks = [], []
    for number, event in enumerate(events, 1):
        if event.data == b"[DONE]":
            marks.append(number)
            if not event.complete:
                check.found.append(f"event {number} is not ended by a blank line")
        else:
            chunks.append(event)
            if marks:
                check.found.append(f"event {number} comes after [DONE]")
    for number, payload in objects_in(chunks, check.found, named=False):
        check.take(number, payload)
    return check.finish(marks)


class _Check:
    def __init__(self) -> None:
        self.found: list[str] = []
        self._id: Any = None
        self._finished: set[Any] = set()
        self._seen: set[Any] = set()
        self._calls: dict[Any, int] = {}
        self._failed = False

    def take(self, number: int, payload: JSONObject) -> None:
        if self._failed:
            self.found.append(f"event {number} comes after an error")
        if payload.get("error"):
            self._failed = True
            return
        if payload.get("object") != "chat.completion.chunk":
            self.found.append(f"event {number} is no chunk")
        self._id = self._id or payload.get("id")
        if payload.get("id") != self._id:
            self.found.append(f"event {number} belongs to another completion")
        if not isinstance(payload.get("choices"), list):
            self.found.append(f"event {number} has no choices")
        for choice in objects_of(payload.get("choices")):
            self._take_choice(number, choice)

    def _take_choice(self, number: int, choice: JSONObject) -> None:
        index = choice.get("index")
        if not isinstance(index, int) or index < 0:
            self.found.append(f"event {number} has a choice without an index")
            return
        if index in self._finished:
            self.found.append(f"event {number} goes on with choice {index}, which is finished")
        self._seen.add(index)
        delta = object_or_none(choice.get("delta"))
        if delta is None:
            self.found.append(f"event {number} has a choice without a delta")
        for call in objects_of(delta.get("tool_calls") if delta else None):
            self._take_call(number, index, call)
        if choice.get("finish_reason") is not None:
            self._finished.add(index)

    def _take_call(self, number: int, choice: int, call: JSONObject) -> None:
        index, known = call.get("index"), self._calls.get(choice, 0)
        if not isinstance(index, int) or not 0 <= index <= known:
            self.found.append(f"event {number} has tool call {index!r} where at most {known} is due")
        elif index == known:
            self._calls[choice] = known + 1
            function = object_or_none(call.get("function")) or object_or_none(call.get("custom")) or {}
            if not call.get("id") or not function.get("name"):
                self.found.append(f"event {number} begins a tool call without its id or name")

    def finish(self, marks: list[int]) -> list[str]:
        if self._failed:
            return self.found
        self.found += [f"choice {index} has no finish_reason" for index in sorted(self._seen - self._finished)]
        if len(marks) != 1:
            self.found.append(f"the stream has {len(marks)} [DONE]")
        return self.found
