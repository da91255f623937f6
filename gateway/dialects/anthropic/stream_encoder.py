"""Neutral events as an Anthropic stream. A text delta, of which there are hundreds, is one string put in a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.dialects.answer import (
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
    WholeBlock,
)
from gateway.dialects.anthropic.blocks import encode_block, encode_seal, fit_id
from gateway.dialects.anthropic.errors import encode_stream_error
from gateway.dialects.anthropic.usage import write_usage
from gateway.dialects.json_text import dump, quote, raw
from gateway.dialects.names import Dialect
from gateway.dialects.stops import STOPS
from gateway.dialects.turn import Request

PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'
_STOPPED: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_DELTA: Final = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b'
_START: Final = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_STOP: Final = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'

_TEXT: Final = b'{"type":"text","text":""}'
_THINKING: Final = b'{"type":"thinking","thinking":"","signature":""}'


def event(name: str, value: Any) -> bytes:
    """One server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), dump(value))


class MessagesStreamEncoder:
    """The fold's other way. Blocks are numbered in the order they begin; thoughts without a seal get no signature."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self.uncited = False
        self._index = -1
        self._open: type[StreamEvent] | None = None
        self._text = self._thinking = self._json = b""
        self._encoders: dict[type[StreamEvent], Callable[[Any, list[bytes]], None]] = {
            Started: self._start,
            TextDelta: self._add_text,
            ThinkingDelta: self._add_thinking,
            Sealed: self._seal,
            RefusalDelta: self._add_text,
            ToolCallStarted: self._start_call,
            ToolCallDelta: self._add_arguments,
            CitationAdded: self._cite,
            WholeBlock: self._add_whole,
            BlockEnded: self._end_block,
            Finished: self._finish,
            Failed: self._fail,
        }

    def encode(self, events: Sequence[StreamEvent]) -> bytes:
        """Whole events of the dialect; may be empty."""
        out: list[bytes] = []
        for each in events:
            if type(each) is TextDelta and self._open is TextDelta:
                out += (self._text, quote(each.text), b"}}\n\n")
            else:
                self._encoders[type(each)](each, out)
        return b"".join(out)

    def ping(self) -> bytes:
        return PING

    def _start(self, started: Started, out: list[bytes]) -> None:
        message: dict[str, Any] = {
            "id": message_id(started.id, self._request.tag),
            "type": "message",
            "role": "assistant",
            "model": self._request.model or started.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": write_usage(started.usage),
        }
        out.append(event("message_start", {"type": "message_start", "message": message}))

    def _begin(self, kind: type[StreamEvent], block: bytes, out: list[bytes]) -> None:
        self._end_block(None, out)
        self._index += 1
        self._open = kind
        out.append(_START % (self._index, block))
        self._text = _DELTA % (self._index, b'{"type":"text_delta","text":')
        self._thinking = _DELTA % (self._index, b'{"type":"thinking_delta","thinking":')
        self._json = _DELTA % (self._index, b'{"type":"input_json_delta","partial_json":')

    def _add_text(self, delta: TextDelta | RefusalDelta, out: list[bytes]) -> None:
        if self._open is not TextDelta:
            self._begin(TextDelta, _TEXT, out)
        out += (self._text, quote(delta.text), b"}}\n\n")

    def _add_thinking(self, delta: ThinkingDelta, out: list[bytes]) -> None:
        if self._open is not ThinkingDelta:
            self._begin(ThinkingDelta, _THINKING, out)
        out += (self._thinking, quote(delta.text), b"}}\n\n")

    def _seal(self, sealed: Sealed, out: list[bytes]) -> None:
        if sealed.redacted and sealed.seal.issuer is Dialect.ANTHROPIC:
            self._begin(Sealed, dump({"type": "redacted_thinking", "data": sealed.seal.value}), out)
            return
        if self._open is not ThinkingDelta:
            self._begin(ThinkingDelta, _THINKING, out)
        signature = quote(encode_seal(sealed.seal))
        out += (_DELTA % (self._index, b'{"type":"signature_delta","signature":'), signature, b"}}\n\n")

    def _start_call(self, call: ToolCallStarted, out: list[bytes]) -> None:
        block = {"type": "tool_use", "id": fit_id(call.id), "name": call.name, "input": {}}
        self._begin(ToolCallDelta, dump(block), out)

    def _add_arguments(self, delta: ToolCallDelta, out: list[bytes]) -> None:
        out += (self._json, quote(delta.arguments), b"}}\n\n")

    def _cite(self, cited: CitationAdded, out: list[bytes]) -> None:
        if cited.citation.dialect is not Dialect.ANTHROPIC:
            self.uncited = True
            return
        if self._open is not TextDelta:
            self._begin(TextDelta, _TEXT, out)
        delta = b'{"type":"citations_delta","citation":%b}}\n\n' % cited.citation.raw.encode()
        out.append(_DELTA % (self._index, delta))

    def _add_whole(self, whole: WholeBlock, out: list[bytes]) -> None:
        block = encode_block(whole.block)
        if block is not None:
            self._begin(WholeBlock, dump(block), out)
            self._end_block(None, out)

    def _end_block(self, _: BlockEnded | None, out: list[bytes]) -> None:
        if self._open is not None:
            self._open = None
            out.append(_STOP % self._index)

    def _finish(self, finished: Finished, out: list[bytes]) -> None:
        self._end_block(None, out)
        stop = finished.stop
        delta: dict[str, Any] = {"stop_reason": STOPS[stop.reason].anthropic, "stop_sequence": stop.sequence}
        if stop.details:
            delta["stop_details"] = raw(stop.details)
        usage = write_usage(finished.usage)
        if finished.usage.input_tokens is None:
            del usage["input_tokens"]  # the client keeps what the start said
        out += (event("message_delta", {"type": "message_delta", "delta": delta, "usage": usage}), _STOPPED)

    def _fail(self, failed: Failed, out: list[bytes]) -> None:
        out.append(encode_stream_error(failed.kind, failed.message, self._request.tag))


def message_id(given: str, tag: str) -> str:
    """The answer's id as Anthropic's clients expect it."""
    name = fit_id(given or tag)
    return name if name.startswith("msg_") else f"msg_{name}"
