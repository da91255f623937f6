"""Neutral events as a Chat Completions stream."""

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
from gateway.dialects.chat.errors import encode_stream_error
from gateway.dialects.chat.sealed_thoughts import encode_detail
from gateway.dialects.chat.usage import write_usage
from gateway.dialects.citations import as_annotation
from gateway.dialects.json_text import dump, quote
from gateway.dialects.names import Dialect
from gateway.dialects.stops import STOPS
from gateway.dialects.turn import Refusal, Request, Text, Thinking, ToolCall

PING: Final = b": ping\n\n"
_DONE: Final = b"data: [DONE]\n\n"
_END: Final = b'},"logprobs":null,"finish_reason":null}]%b}\n\n'


class ChatStreamEncoder:
    """The fold's other way. Calls are numbered in the order they begin; a thought's text goes out as
    `reasoning_content`, where most clients look for it, and once more with its seal, when that is known."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._head = self._tail = self._content = b""
        self._calls = -1
        self.uncited = False
        self._call: ToolCallStarted | None = None
        self._has_arguments = False
        self._thought: list[str] = []
        """What the open thought has said."""
        self._sealed = self._cited = 0
        """How many there were: OpenAI's own SDK wants an index in every list of a message that grows."""
        self._encoders: dict[type[StreamEvent], Callable[[Any, list[bytes]], None]] = {
            Started: self._start,
            TextDelta: self._add_text,
            ThinkingDelta: self._add_thinking,
            Sealed: self._seal,
            CitationAdded: self._cite,
            RefusalDelta: self._add_refusal,
            ToolCallStarted: self._start_call,
            ToolCallDelta: self._add_arguments,
            WholeBlock: self._add_whole,
            BlockEnded: self._end_block,
            Finished: self._finish,
            Failed: self._fail,
        }

    def encode(self, events: Sequence[StreamEvent]) -> bytes:
        """Whole chunks; may be empty."""
        out: list[bytes] = []
        for each in events:
            if type(each) is TextDelta:
                out += (self._content, quote(each.text), self._tail)
            else:
                self._encoders[type(each)](each, out)
        return b"".join(out)

    def ping(self) -> bytes:
        return PING

    def _start(self, started: Started, out: list[bytes]) -> None:
        head = {
            "id": completion_id(started.id, self._request.tag),
            "object": "chat.completion.chunk",
            "created": started.created or created_at(self._request.tag),
            "model": self._request.model or started.model,
        }
        self._head = b"data: " + dump(head)[:-1]
        self._tail = _END % (b',"usage":null' if self._request.include_usage else b"")
        self._content = self._head + b',"choices":[{"index":0,"delta":{"content":'
        self._delta(b'"role":"assistant","content":""', out)

    def _delta(self, members: bytes, out: list[bytes]) -> None:
        out += (self._head, b',"choices":[{"index":0,"delta":{', members, self._tail)

    def _add_text(self, delta: TextDelta, out: list[bytes]) -> None:
        out += (self._content, quote(delta.text), self._tail)

    def _add_thinking(self, delta: ThinkingDelta, out: list[bytes]) -> None:
        self._thought.append(delta.text)
        self._delta(b'"reasoning_content":' + quote(delta.text), out)

    def _add_refusal(self, delta: RefusalDelta, out: list[bytes]) -> None:
        self._delta(b'"refusal":' + quote(delta.text), out)

    def _seal(self, sealed: Sealed, out: list[bytes]) -> None:
        thought = Thinking("".join(self._thought), sealed.seal, sealed.redacted)
        self._delta(b'"reasoning_details":' + dump([encode_detail(thought, self._sealed)]), out)
        self._sealed += 1

    def _cite(self, cited: CitationAdded, out: list[bytes]) -> None:
        annotation = as_annotation(cited.citation, Dialect.CHAT)
        if annotation is None:
            self.uncited = True
            return
        self._delta(b'"annotations":' + dump([annotation | {"index": self._cited}]), out)
        self._cited += 1

    def _start_call(self, call: ToolCallStarted, out: list[bytes]) -> None:
        self._calls += 1
        self._call = call
        self._has_arguments = False
        kind = "custom" if call.kind == "custom" else "function"
        begun = {"name": call.name, ("input" if kind == "custom" else "arguments"): ""}
        fragment = {"index": self._calls, "id": call.id, "type": kind, kind: begun}
        self._delta(b'"tool_calls":' + dump([fragment]), out)

    def _add_arguments(self, delta: ToolCallDelta, out: list[bytes]) -> None:
        if not delta.arguments:
            return
        self._has_arguments = True
        custom = self._call is not None and self._call.kind == "custom"
        field = b'"custom":{"input":' if custom else b'"function":{"arguments":'
        members = b'"tool_calls":[{"index":%d,%b%b}}]' % (self._calls, field, quote(delta.arguments))
        self._delta(members, out)

    def _end_block(self, _: BlockEnded, out: list[bytes]) -> None:
        if self._call is not None and self._call.kind != "custom" and not self._has_arguments:
            self._add_arguments(ToolCallDelta("{}"), out)
        self._call = None
        self._thought.clear()

    def _add_whole(self, whole: WholeBlock, out: list[bytes]) -> None:
        block = whole.block
        if isinstance(block, Text):
            self._add_text(TextDelta(block.text), out)
        elif isinstance(block, Thinking):
            self._add_whole_thought(block, out)
        elif isinstance(block, Refusal):
            self._add_refusal(RefusalDelta(block.text), out)
        elif isinstance(block, ToolCall):
            self._start_call(ToolCallStarted(block.id, block.name, block.kind), out)
            self._add_arguments(ToolCallDelta(block.arguments), out)
            self._end_block(BlockEnded(), out)

    def _add_whole_thought(self, thought: Thinking, out: list[bytes]) -> None:
        if thought.text:
            self._add_thinking(ThinkingDelta(thought.text), out)
        if thought.seal is not None:
            self._seal(Sealed(thought.seal, thought.redacted), out)
        self._end_block(BlockEnded(), out)

    def _finish(self, finished: Finished, out: list[bytes]) -> None:
        word = STOPS[finished.stop.reason].chat.encode()
        ended = b'},"logprobs":null,"finish_reason":"%b"}]%b}\n\n'
        wanted = self._request.include_usage
        out += (self._head, b',"choices":[{"index":0,"delta":{', ended % (word, b',"usage":null' if wanted else b""))
        if wanted:
            out += (self._head, b',"choices":[],"usage":', dump(write_usage(finished.usage)), b"}\n\n")
        out.append(_DONE)

    def _fail(self, failed: Failed, out: list[bytes]) -> None:
        out.append(encode_stream_error(failed.kind, failed.message, self._request.tag))


def completion_id(given: str, tag: str) -> str:
    """The answer's id as OpenAI's clients expect it."""
    name = given or tag
    return name if name.startswith("chatcmpl") else f"chatcmpl-{name}"


def created_at(tag: str) -> int:
    """Unix seconds out of a UUIDv7, which an exchange's id is; 0 for any other text."""
    try:
        return int(tag.replace("-", "")[:12], 16) // 1000
    except ValueError:
        return 0
