"""Neutral events as a Responses stream.

Every event is numbered, every item announced and then done under one id, and the terminal event holds the items as
they were streamed. A piece of text takes one formatting of bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

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
from gateway.dialects.citations import as_annotation
from gateway.dialects.names import Dialect
from gateway.dialects.responses.answer_encoder import call_kind, encode_item
from gateway.dialects.responses.output_items import as_call_of, encode_call, encode_reasoning
from gateway.dialects.responses.parts import encode_text
from gateway.dialects.responses.response_object import COMPACTION, ResponseObject, compaction
from gateway.dialects.turn import Refusal, Request, Text, Thinking, Tool, ToolCall, Unknown

encode: Final = msgspec.json.encode


def one_line(value: Any) -> bytes:
    """`value` as JSON on one line: what is carried as it came may be spread over several, an event's data may not."""
    encoded = encode(value)
    return msgspec.json.format(encoded, indent=-1) if b"\n" in encoded or b"\r" in encoded else encoded


_PING: Final = b": ping\n\n"
_CALL_DELTAS: Final = {
    "function_call": (b"response.function_call_arguments", "arguments"),
    "custom_tool_call": (b"response.custom_tool_call_input", "input"),
}


class ResponsesStreamEncoder:
    def __init__(self, request: Request) -> None:
        self.final: bytes | None = None
        """The response as the caller got it, once it is whole."""
        self._request = request
        self._number = 0
        self._response: ResponseObject | None = None
        self._output: list[Any] = []
        self.uncited = False
        self._out: list[bytes] = []
        self._kind = ""
        """The type of the item that is open; empty: none is."""
        self._at = b""
        """What an event of the open item says of its place."""
        self._item = ""
        self._pieces: list[str] = []
        self._notes: list[Unknown] = []
        self._seal: Sealed | None = None
        self._call = ToolCall("", "", "")
        self._tool: Tool | None = None

    def encode(self, events: Sequence[StreamEvent]) -> bytes:
        out = self._out = []
        for event in events:
            _TAKE[type(event)](self, event)
        return b"".join(out)

    def ping(self) -> bytes:
        """OpenAI's own keep-alive event; before the response was created nothing but a comment may come."""
        if self._response is None:
            return _PING
        self._number += 1
        return b'event: keepalive\ndata: {"type":"keepalive","sequence_number":%d}\n\n' % (self._number - 1)

    def _emit(self, name: bytes, rest: bytes) -> None:
        """One event; `rest` is its members behind type and number."""
        self._out.append(
            b'event: %b\ndata: {"type":"%b","sequence_number":%d,%b}\n\n' % (name, name, self._number, rest)
        )
        self._number += 1

    def _start(self, event: Started) -> None:
        if self._response is not None:
            return
        self._response = ResponseObject(self._request, event.id, event.model, event.created)
        begun = one_line(self._response.begun())
        self._emit(b"response.created", b'"response":' + begun)
        self._emit(b"response.in_progress", b'"response":' + begun)

    def _open(self, kind: str, item: dict[str, Any], middle: bytes = b"") -> None:
        """Announce an item. `middle` is what its events say beside its id and index."""
        index = len(self._output)
        self._kind, self._item = kind, item["id"]
        self._at = b'"item_id":%b,"output_index":%d,%b' % (encode(self._item), index, middle)
        self._pieces, self._notes, self._seal = [], [], None
        self._emit(b"response.output_item.added", b'"output_index":%d,"item":%b' % (index, one_line(item)))

    def _done(self, item: Any) -> None:
        encoded = one_line(item)
        self._emit(b"response.output_item.done", b'"output_index":%d,"item":%b' % (len(self._output), encoded))
        self._output.append(msgspec.Raw(encoded))
        self._kind = ""

    def _id(self, kind: str) -> str:
        assert self._response is not None
        return self._response.item_id(kind, len(self._output))

    def _add_text(self, event: TextDelta) -> None:
        if self._kind != "text":
            self._open_message("text", {"type": "output_text", "text": "", "annotations": [], "logprobs": []})
        self._pieces.append(event.text)
        self._out.append(
            b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":%d,%b'
            b'"delta":%b,"logprobs":[]}\n\n' % (self._number, self._at, encode(event.text))
        )
        self._number += 1

    def _add_refusal(self, event: RefusalDelta) -> None:
        if self._kind != "refusal":
            self._open_message("refusal", {"type": "refusal", "refusal": ""})
        self._pieces.append(event.text)
        self._emit(b"response.refusal.delta", self._at + b'"delta":' + encode(event.text))

    def _open_message(self, kind: str, part: dict[str, Any]) -> None:
        self._end_block()
        item = {"id": self._id("message"), "type": "message", "status": "in_progress", "role": "assistant"}
        self._open(kind, item | {"content": []}, b'"content_index":0,')
        self._emit(b"response.content_part.added", self._at + b'"part":' + one_line(part))

    def _add_note(self, event: CitationAdded) -> None:
        note = event.citation
        annotation = as_annotation(note, Dialect.RESPONSES) if self._kind == "text" else None
        if annotation is None:
            self.uncited = True
            return
        own = note.dialect is Dialect.RESPONSES
        said = one_line(msgspec.Raw(note.raw.encode()) if own else annotation)
        place = b'"annotation_index":%d,"annotation":%b' % (len(self._notes), said)
        self._emit(b"response.output_text.annotation.added", self._at + place)
        self._notes.append(note)

    def _add_thought(self, event: ThinkingDelta) -> None:
        self._open_thought()
        if not self._pieces:
            self._emit(b"response.reasoning_summary_part.added", self._at + b'"part":{"type":"summary_text","text":""}')
        self._pieces.append(event.text)
        self._emit(b"response.reasoning_summary_text.delta", self._at + b'"delta":' + encode(event.text))

    def _open_thought(self) -> None:
        if self._kind != "thought":
            self._end_block()
            item = {"id": self._id("reasoning"), "type": "reasoning", "summary": []}
            self._open("thought", item, b'"summary_index":0,')

    def _add_seal(self, event: Sealed) -> None:
        self._open_thought()
        self._seal = event

    def _start_call(self, event: ToolCallStarted) -> None:
        assert self._response is not None
        self._end_block()
        call = ToolCall(event.id, event.name, "", kind=event.kind, namespace=event.namespace)
        self._tool = self._response.tools.find(event.name) if event.kind == "function" and not event.namespace else None
        self._call = call = call if self._tool is None else as_call_of(call, self._tool)
        kind = call_kind(call)
        item = encode_call(call, self._id(kind), "in_progress")
        if kind == "function_call":
            item["arguments"] = ""
        self._open(kind, item)

    def _add_arguments(self, event: ToolCallDelta) -> None:
        self._pieces.append(event.arguments)
        # The arguments of what is a function only to the provider are another text than the caller's.
        if self._kind in _CALL_DELTAS and (self._tool is None or self._tool.kind == "function"):
            name, _ = _CALL_DELTAS[self._kind]
            self._emit(name + b".delta", self._at + b'"delta":' + encode(event.arguments))

    def _end_block(self, _: object = None) -> None:
        if self._kind:
            _END[self._kind](self)

    def _end_text(self) -> None:
        text = encode_text(Text("".join(self._pieces), citations=tuple(self._notes)), output=True)
        self._emit(b"response.output_text.done", self._at + b'"text":%b,"logprobs":[]' % encode(text["text"]))
        self._end_message(text)

    def _end_refusal(self) -> None:
        refusal = "".join(self._pieces)
        self._emit(b"response.refusal.done", self._at + b'"refusal":' + encode(refusal))
        self._end_message({"type": "refusal", "refusal": refusal})

    def _end_message(self, part: dict[str, Any]) -> None:
        self._emit(b"response.content_part.done", self._at + b'"part":' + one_line(part))
        item = {"id": self._item, "type": "message", "status": "completed", "role": "assistant"}
        self._done(item | {"content": [part]})

    def _end_thought(self) -> None:
        text = "".join(self._pieces)
        if self._pieces:
            said = encode(text)
            part = b'"part":{"type":"summary_text","text":%b}' % said
            self._emit(b"response.reasoning_summary_text.done", self._at + b'"text":' + said)
            self._emit(b"response.reasoning_summary_part.done", self._at + part)
        sealed = self._seal
        thought = Thinking(text) if sealed is None else Thinking(text, sealed.seal, sealed.redacted)
        self._done(encode_reasoning(thought, self._item))

    def _end_call(self) -> None:
        arguments = "".join(self._pieces)
        bare = msgspec.structs.replace(self._call, arguments=arguments)
        call = bare if self._tool is None else as_call_of(bare, self._tool)
        item = encode_call(call, self._item)
        if self._kind in _CALL_DELTAS:
            name, field = _CALL_DELTAS[self._kind]
            if item[field] != arguments and item[field]:
                self._emit(name + b".delta", self._at + b'"delta":' + encode(item[field]))
            self._emit(name + b".done", self._at + b'"%b":%b' % (field.encode(), encode(item[field])))
        self._done(item)

    def _add_block(self, event: WholeBlock) -> None:
        block = event.block
        self._end_block()
        if isinstance(block, Text):
            self._add_text(TextDelta(block.text))
        elif isinstance(block, Refusal):
            self._add_refusal(RefusalDelta(block.text))
        elif isinstance(block, Thinking) and block.text:
            self._add_thought(ThinkingDelta(block.text))
            self._seal = Sealed(block.seal, block.redacted) if block.seal is not None else None
        else:
            self._add_whole(block)
        self._end_block()

    def _add_whole(self, block: Any) -> None:
        assert self._response is not None
        item = encode_item(block, len(self._output), self._response)
        if item is None:
            return
        encoded = one_line(item)
        self._emit(b"response.output_item.added", b'"output_index":%d,"item":%b' % (len(self._output), encoded))
        self._done(msgspec.Raw(encoded))

    def _finish(self, event: Finished) -> None:
        assert self._response is not None
        self._end_block()
        response = self._response.finished(event.stop, self._output, event.usage)
        self.final = one_line(response)
        self._emit(b"response." + response["status"].encode(), b'"response":' + self.final)

    def _fail(self, event: Failed) -> None:
        """The items that were done stay what they are; one that was open is not."""
        self._start(Started("", ""))
        assert self._response is not None
        self._kind = ""
        response = self._response.failed(event, self._output)
        self._emit(b"response.failed", b'"response":' + one_line(response))


class CompactionStreamEncoder(ResponsesStreamEncoder):
    """The stream of a compaction: what the model says becomes one opaque item, and nothing else is told."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._summary: list[str] = []

    def encode(self, events: Sequence[StreamEvent]) -> bytes:
        kept: list[StreamEvent] = []
        for event in events:
            if isinstance(event, TextDelta):
                self._summary.append(event.text)
            elif isinstance(event, Started | Failed | Finished):
                kept.append(event)
        return super().encode(kept)

    def _finish(self, event: Finished) -> None:
        item = compaction("".join(self._summary), self._id(COMPACTION))
        self._open(COMPACTION, item)
        self._done(item)
        super()._finish(event)


_TAKE: Final[dict[type[Any], Callable[[ResponsesStreamEncoder, Any], None]]] = {
    TextDelta: ResponsesStreamEncoder._add_text,
    ToolCallDelta: ResponsesStreamEncoder._add_arguments,
    ThinkingDelta: ResponsesStreamEncoder._add_thought,
    RefusalDelta: ResponsesStreamEncoder._add_refusal,
    BlockEnded: ResponsesStreamEncoder._end_block,
    Started: ResponsesStreamEncoder._start,
    ToolCallStarted: ResponsesStreamEncoder._start_call,
    Sealed: ResponsesStreamEncoder._add_seal,
    CitationAdded: ResponsesStreamEncoder._add_note,
    WholeBlock: ResponsesStreamEncoder._add_block,
    Finished: lambda encoder, event: encoder._finish(event),
    Failed: ResponsesStreamEncoder._fail,
}
_END: Final[dict[str, Callable[[ResponsesStreamEncoder], None]]] = {
    "text": ResponsesStreamEncoder._end_text,
    "refusal": ResponsesStreamEncoder._end_refusal,
    "thought": ResponsesStreamEncoder._end_thought,
    **dict.fromkeys(
        ("function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call"),
        ResponsesStreamEncoder._end_call,
    ),
}
