"""An Anthropic stream as neutral events."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.dialects.accumulated import merge
from gateway.dialects.answer import (
    BlockEnded,
    CitationAdded,
    Failed,
    Finished,
    Sealed,
    Started,
    Stop,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    WholeBlock,
)
from gateway.dialects.anthropic.answer import read_stop
from gateway.dialects.anthropic.usage import read_usage
from gateway.dialects.failures import ErrorKind
from gateway.dialects.faults import read_failure
from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, mend, read_json, text_or_none, write_json
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.seals import unwrap
from gateway.dialects.stream_reader import StreamReader
from gateway.dialects.turn import Request, Unknown

_STREAMED: Final = frozenset({"text", "thinking", "tool_use"})


class _Delta(msgspec.Struct, gc=False):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Any = None


class _Payload(msgspec.Struct, gc=False):
    type: str | None = None
    index: int | None = None
    delta: _Delta | None = None
    content_block: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Payload).decode
_NONE_OPEN: Final = -1


class MessagesStreamDecoder(StreamReader):
    """The fold. `message_stop`, or the body's end after a stop reason, is the end.

    Anthropic sends one block after the other. Servers that only speak its dialect leave several open at once: a block
    that begins while the input of a call is still being written waits until that call is whole.
    """

    def __init__(self, request: Request, profile: Profile) -> None:
        super().__init__(request)
        self._usage: JSONObject = {}
        self._stop: Stop | None = None
        self._block: JSONObject | None = None
        self._index: int | None = _NONE_OPEN
        self._calls = False
        """The open block is a call."""
        self._held: dict[int, list[_Payload]] = {}
        self._said = False
        self._signature = ""
        self._input: list[str] = []

    def _end_unsaid(self, events: list[StreamEvent]) -> None:
        if self._stop is not None:
            self._end(events)
        else:
            self._break_off(events)

    def _read(self, data: bytes, events: list[StreamEvent]) -> None:
        try:
            payload = _decode(data)
        except ValueError:
            lenient = _read_leniently(data)
            if lenient is None:
                return
            payload = lenient
        self._take(payload, events)
        if self._held and self._block is None and not self._ended:
            self._release(events)

    def _take(self, payload: _Payload, events: list[StreamEvent]) -> None:
        kind = payload.type
        if kind == "content_block_delta":
            delta = payload.delta
            if delta is None:
                return
            if payload.index == self._index and not (self._calls and (delta.text or delta.thinking)):
                self._grow(delta, events)
            else:
                self._grow_elsewhere(payload, delta, events)
        elif kind == "error" or payload.error:
            self._fail(read_failure({"error": payload.error or {}}), events)
        else:
            self._step(kind, payload, events)

    def _step(self, kind: str | None, payload: _Payload, events: list[StreamEvent]) -> None:
        if kind == "content_block_start":
            self._begin_in_turn(payload, events)
        elif kind == "content_block_stop":
            self._stop_block(payload, events)
        elif kind == "message_start":
            self._start(payload.message or {}, events)
        elif kind == "message_delta":
            self._note_end(payload)
        elif kind == "message_stop":
            self._end(events)

    def _start(self, message: JSONObject, events: list[StreamEvent]) -> None:
        if self._started:
            return
        self._started = True
        merge(self._usage, message.get("usage") or {})
        model = text_or_none(message.get("model")) or self._request.model
        events.append(Started(text_or_none(message.get("id")) or "", model, read_usage(self._usage)))

    def _is_unfinished_call(self) -> bool:
        return self._calls and not is_object(_input_of("".join(self._input)))

    def _begin_in_turn(self, payload: _Payload, events: list[StreamEvent]) -> None:
        index = payload.index
        if self._block is not None and index is not None and index != self._index:
            if not self._is_unfinished_call():
                self._end_block(events)
                self._release(events)
            if self._is_unfinished_call():
                self._held.setdefault(index, []).append(payload)
                return
        self._begin(index, payload.content_block or {}, events)

    def _stop_block(self, payload: _Payload, events: list[StreamEvent]) -> None:
        index = payload.index
        if index is not None and index in self._held:
            self._held[index].append(payload)
        elif index is None or index == self._index:  # one that has ended already may be stopped again
            self._end_block(events)

    def _release(self, events: list[StreamEvent]) -> None:
        """What waited follows, as far as it is whole."""
        while self._held and self._block is None:
            for payload in self._held.pop(next(iter(self._held))):
                self._take(payload, events)

    def _grow_elsewhere(self, payload: _Payload, delta: _Delta, events: list[StreamEvent]) -> None:
        """A delta that the open block cannot take: of one that waits, was never begun or is over, or words on the index
        of a call. Words get a block of their own after it; input and signatures belong to their block or nowhere."""
        index = payload.index
        kind = "text" if delta.text else "thinking" if delta.thinking else None
        if self._block is None:
            if kind is not None:
                self._begin(index, {"type": kind}, events)
                self._grow(delta, events)
        elif index is not None and index in self._held:
            self._held[index].append(payload)
        elif index is None and (kind is None or not self._calls):
            self._grow(delta, events)
        elif kind is not None:
            place = ~(self._index or 0) if index in (None, self._index) else index
            start = _Payload("content_block_start", place, content_block={"type": kind})
            self._held.setdefault(place, [start]).append(msgspec.structs.replace(payload, index=place))

    def _begin(self, index: int | None, block: JSONObject, events: list[StreamEvent]) -> None:
        self._end_block(events)
        self._block = block
        self._index = index
        self._said = False
        self._signature = text_or_none(block.get("signature")) or ""
        self._input.clear()
        kind = block.get("type")
        self._calls = kind == "tool_use"
        if self._calls:
            self._said = True
            events.append(ToolCallStarted(str(block.get("id", "")), str(block.get("name", ""))))
            if block.get("input"):
                self._input.append(write_json(block["input"]).decode())
                events.append(ToolCallDelta(self._input[0]))
        elif kind == "text" and block.get("text"):
            self._say(TextDelta(str(block["text"])), events)
        elif kind == "thinking" and block.get("thinking"):
            self._say(ThinkingDelta(str(block["thinking"])), events)
        elif kind == "redacted_thinking":
            self._say(Sealed(unwrap(str(block.get("data", "")), Dialect.ANTHROPIC), redacted=True), events)

    def _say(self, event: StreamEvent, events: list[StreamEvent]) -> None:
        self._said = True
        events.append(event)

    def _grow(self, delta: _Delta, events: list[StreamEvent]) -> None:
        if delta.text:
            self._say(TextDelta(delta.text), events)
        elif delta.partial_json is not None:
            self._input.append(delta.partial_json)
            if delta.partial_json and self._calls:
                events.append(ToolCallDelta(delta.partial_json))
        elif delta.thinking:
            self._say(ThinkingDelta(delta.thinking), events)
        elif delta.signature is not None:
            self._signature = delta.signature
        elif delta.citation is not None:
            raw = write_json(delta.citation).decode()
            self._say(CitationAdded(Unknown(Dialect.ANTHROPIC, str(delta.citation.get("type")), raw)), events)

    def _end_block(self, events: list[StreamEvent]) -> None:
        block, self._block, self._index, self._calls = self._block, None, _NONE_OPEN, False
        if block is None:
            return
        kind = str(block.get("type"))
        if kind == "thinking" and self._signature:
            self._say(Sealed(unwrap(self._signature, Dialect.ANTHROPIC)), events)
        if kind in _STREAMED or kind == "redacted_thinking":
            if self._said:
                events.append(BlockEnded())
            return
        if self._input:
            block = {**block, "input": _input_of("".join(self._input))}
        events.append(WholeBlock(Unknown(Dialect.ANTHROPIC, kind, write_json(block).decode())))

    def _note_end(self, payload: _Payload) -> None:
        merge(self._usage, payload.usage or {})
        delta = payload.delta
        if delta is not None and delta.stop_reason is not None:
            details = write_json(delta.stop_details).decode() if delta.stop_details is not None else ""
            self._stop = read_stop(delta.stop_reason, delta.stop_sequence, details)

    def _end(self, events: list[StreamEvent]) -> None:
        if self._stop is None:
            self._fail(Failed(ErrorKind.API_ERROR, "The provider's message has no stop reason: it broke off."), events)
            return
        self._end_block(events)
        while self._held:
            self._release(events)
            self._end_block(events)
        self._ended = True
        events.append(Finished(self._stop, read_usage(self._usage)))


def _read_leniently(data: bytes) -> _Payload | None:
    try:
        value = mend(read_json(data).value)
        return msgspec.convert(value if is_object(value) else {}, _Payload, strict=False)
    except (NotJSONError, msgspec.ValidationError):
        return None


def _input_of(text: str) -> Any:
    try:
        return read_json(text.encode("utf-8", "replace")).value
    except NotJSONError:
        return text
