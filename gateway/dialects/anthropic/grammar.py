"""The rules of Anthropic's stream: one message; blocks one after the other, each started, grown and stopped; an end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.dialects.grammar import objects_in
from gateway.dialects.json_values import JSONObject, object_or_none
from gateway.dialects.sse import ServerSentEvent

# Which blocks a delta may grow. Deltas and blocks that are not named here may go together.
_GROWS: Final = {
    "text_delta": {"text"},
    "citations_delta": {"text"},
    "thinking_delta": {"thinking"},
    "signature_delta": {"thinking"},
    "compaction_delta": {"compaction"},
}
_NO_INPUT: Final = frozenset({"text", "thinking", "redacted_thinking", "compaction"})


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
        self._started = self._ending = self._ended = self._failed = False
        self._blocks = 0
        self._open: str | None = None
        self._index: object = None

    def _say(self, sentence: str) -> None:
        self.found.append(f"event {self._number} {sentence}")

    def take(self, number: int, kind: str, payload: JSONObject) -> None:
        self._number = number
        if self._ended or self._failed:
            self._say(f"({kind}) comes after the end")
        if kind == "error":
            self._failed = True
        elif kind == "message_start":
            self._start(payload)
        elif kind in (
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ):
            if not self._started:
                self._say(f"({kind}) comes before message_start")
                self._started = True
            if kind.startswith("content_block"):
                self._block(kind.removeprefix("content_block_"), payload)
            else:
                self._end(kind, payload)

    def _start(self, payload: JSONObject) -> None:
        if self._started:
            self._say("starts a second message")
        if object_or_none(payload.get("message")) is None:
            self._say("starts no message")
        self._started = True

    def _block(self, step: str, payload: JSONObject) -> None:
        index = payload.get("index")
        if self._ending:
            self._say("touches a block after message_delta")
        if step == "start":
            self._start_block(index, payload)
        elif self._open is None:
            self._say("touches a block while none is open")
        elif index != self._index:
            self._say(f"touches block {index!r} while block {self._index!r} is open")
        elif step == "stop":
            self._open = None
        else:
            self._grow(self._open, payload)

    def _start_block(self, index: object, payload: JSONObject) -> None:
        if self._open is not None:
            self._say(f"starts a block while block {self._index!r} is open")
        if index != self._blocks:
            self._say(f"starts block {index!r} where {self._blocks} is due")
        block = object_or_none(payload.get("content_block"))
        if block is None or not isinstance(block.get("type"), str):
            self._say("starts a block without a type")
        self._open = str(block.get("type")) if block else "unknown"
        self._index = index
        self._blocks += 1

    def _grow(self, block: str, payload: JSONObject) -> None:
        delta = object_or_none(payload.get("delta"))
        kind = str(delta.get("type")) if delta else "none"
        fits = block in _GROWS[kind] if kind in _GROWS else not (kind == "input_json_delta" and block in _NO_INPUT)
        if delta is None or not fits:
            self._say(f"grows a block of type {block} by {kind}")

    def _end(self, kind: str, payload: JSONObject) -> None:
        if self._open is not None:
            self._say(f"({kind}) comes while block {self._index!r} is open")
            self._open = None
        if kind == "message_delta":
            self._ending = True
            if object_or_none(payload.get("delta")) is None or object_or_none(payload.get("usage")) is None:
                self._say("lacks its delta or its usage")
            return
        if not self._ending:
            self._say("ends the message without message_delta")
        self._ended = True

    def finish(self) -> list[str]:
        if not self._ended and not self._failed:
            self.found.append("the stream has no end")
        return self.found
