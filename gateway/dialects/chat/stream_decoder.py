"""A Chat Completions stream as neutral events, whatever its server makes of the dialect.

This runs for every token of every translated answer: a plain piece of text takes the shortest way through `_take`.
"""

from __future__ import annotations

from typing import Any

from gateway.dialects.answer import (
    BlockEnded,
    CitationAdded,
    Failed,
    Finished,
    RefusalDelta,
    Started,
    Stop,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
)
from gateway.dialects.chat.calls import CallSeries, UnnamedCallError
from gateway.dialects.chat.text_calls import TextCalls
from gateway.dialects.chat.thoughts import ThoughtTags
from gateway.dialects.chat.usage import read_usage
from gateway.dialects.chat.wire import Call, Choice, Chunk, Delta, decode_chunk, read_chunk
from gateway.dialects.citations import read_annotation
from gateway.dialects.failures import ErrorKind
from gateway.dialects.faults import read_failure
from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, object_or_none
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.seals import is_wrapped
from gateway.dialects.stops import BROKEN, CHAT_STOPS
from gateway.dialects.stream_reader import StreamReader
from gateway.dialects.turn import Request, ToolCall

_Delta = TextDelta | ThinkingDelta | RefusalDelta


class ChatStreamDecoder(StreamReader):
    """The fold. `[DONE]`, or the body's end after a `finish_reason`, is the end; usage that trails it is waited for."""

    def __init__(self, request: Request, profile: Profile) -> None:
        super().__init__(request)
        self._tags = ThoughtTags() if profile.reasoning.tags else None
        self._rescue = profile.rescue_text_calls and bool(request.tools)
        self._text_calls: TextCalls | None = None
        self._calls = CallSeries("call_")
        self._open: type[_Delta] | None = None
        self._plain = self._tags is None and not self._rescue
        self._rescued = False
        self._refused = False
        self._late: list[_Delta] = []
        self._finish: str | None = None
        self._sequence: str | None = None
        self._usage: JSONObject | None = None
        self._tier: str | None = None

    def _end_unsaid(self, events: list[StreamEvent]) -> None:
        if self._finish is not None:
            self._end(events)
        else:
            self._break_off(events)

    def _read(self, data: bytes, events: list[StreamEvent]) -> None:
        try:
            chunk = decode_chunk(data)
        except ValueError:
            if data.strip() == b"[DONE]":
                self._end(events)
                return
            try:
                chunk = read_chunk(data)
            except NotJSONError:
                return  # noise between the events, as a keep-alive in words
        if self._open is not TextDelta or not self._take_plain(chunk, events):
            self._take(chunk, events)

    def _take_plain(self, chunk: Chunk, events: list[StreamEvent]) -> bool:
        """The shortest way, for a piece of text that goes on in the open block and needs no look inside."""
        choices = chunk.choices
        if choices is None or len(choices) != 1:
            return False
        choice = choices[0]
        delta = choice.delta
        if (
            delta is None
            or choice.finish_reason is not None
            or choice.index
            or delta.tool_calls is not None
            or delta.reasoning_content
            or delta.reasoning
            or delta.reasoning_details
            or delta.refusal
            or delta.annotations
        ):
            return False
        content = delta.content
        if type(content) is not str or not (self._plain or ("<" not in content and self._is_between_tags())):
            return False
        if content:
            events.append(TextDelta(content))
        if chunk.usage is not None:
            self._usage = chunk.usage
        return True

    def _is_between_tags(self) -> bool:
        """Nothing is held back that the next text could complete."""
        return not (self._tags is not None and self._tags.holds) and not (
            self._text_calls is not None and self._text_calls.holds
        )

    def _take(self, chunk: Chunk, events: list[StreamEvent]) -> None:
        if chunk.error:
            self._fail(read_failure({"error": chunk.error}), events)
            return
        self._note(chunk)
        if chunk.choices is None:
            return
        if not self._started:
            self._start(chunk, events)
        for choice in chunk.choices:
            if not choice.index:  # one answer is translated; nobody asks for more
                self._take_choice(choice, events)

    def _note(self, chunk: Chunk) -> None:
        """Usage, on whichever chunk it comes, also on one without choices."""
        usage = chunk.usage or (object_or_none(chunk.x_groq.get("usage")) if chunk.x_groq else None)
        if usage is not None:
            self._usage = usage
        if chunk.service_tier:
            self._tier = chunk.service_tier

    def _start(self, chunk: Chunk, events: list[StreamEvent]) -> None:
        self._started = True
        prefix = f"call_{chunk.id or self._request.tag}_"
        self._calls = CallSeries(prefix)
        if self._rescue:
            self._text_calls = TextCalls(self._request.tools, prefix + "text")
        events.append(Started(chunk.id or "", chunk.model or self._request.model, created=int(chunk.created or 0)))

    def _take_choice(self, choice: Choice, events: list[StreamEvent]) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            self._take_delta(delta, events)
        elif choice.text:
            self._take_text(choice.text, events)
        if choice.finish_reason:
            self._finish = choice.finish_reason
            if isinstance(choice.stop_reason, str):
                self._sequence = choice.stop_reason

    def _take_delta(self, delta: Delta, events: list[StreamEvent]) -> None:
        thought = delta.reasoning_content or delta.reasoning or _detail_text(delta.reasoning_details)
        if thought:
            self._say(ThinkingDelta(thought), events)
        content = delta.content
        if type(content) is str:
            if content:
                self._take_text(content, events)
        elif content:
            self._take_parts(content, events)
        if delta.annotations:
            self._cite(delta.annotations, events)
        if delta.refusal:
            self._say(RefusalDelta(delta.refusal), events)
        for call in delta.tool_calls or ():
            self._take_call(call, events)
        if delta.function_call is not None:
            self._take_call(Call(0, None, delta.function_call), events)

    def _cite(self, annotations: list[Any], events: list[StreamEvent]) -> None:
        """What the text that is open refers to; where none is, it refers to nothing."""
        found = (read_annotation(annotation, Dialect.CHAT) for annotation in annotations)
        if self._open is TextDelta:
            events += [CitationAdded(citation) for citation in found if citation is not None]

    def _take_parts(self, parts: Any, events: list[StreamEvent]) -> None:
        """Content in parts, as Mistral and some gateways stream it: texts, and thoughts that hold texts."""
        for part in parts:
            if isinstance(part, str):
                self._take_text(part, events)
            elif is_object(part) and isinstance(part.get("text"), str):
                self._take_text(part["text"], events)
            elif is_object(part) and (thought := _detail_text([part])):
                self._say(ThinkingDelta(thought), events)

    def _take_text(self, text: str, events: list[StreamEvent]) -> None:
        if self._tags is None:
            self._take_words(text, events)
        else:
            for is_thought, piece in self._tags.split(text):
                self._say_piece(is_thought, piece, events)
            if self._tags.plain:
                self._tags = None
                self._plain = self._text_calls is None

    def _say_piece(self, is_thought: bool, piece: str, events: list[StreamEvent]) -> None:
        if is_thought:
            self._say(ThinkingDelta(piece), events)
        else:
            self._take_words(piece, events)

    def _take_words(self, text: str, events: list[StreamEvent]) -> None:
        if self._text_calls is None:
            self._say(TextDelta(text), events)
            return
        for piece in self._text_calls.split(text):
            self._say_rescued(piece, events)

    def _say_rescued(self, piece: str | ToolCall, events: list[StreamEvent]) -> None:
        if isinstance(piece, str):
            self._say(TextDelta(piece), events)
            return
        self._close(events)
        events += (ToolCallStarted(piece.id, piece.name), ToolCallDelta(piece.arguments), BlockEnded())
        self._rescued = True

    def _say(self, event: _Delta, events: list[StreamEvent]) -> None:
        """A piece of a block that streams; it ends the one before it when that is of another kind."""
        if type(event) is not self._open:
            self._refused |= isinstance(event, RefusalDelta)
            if self._calls.open:
                ended = self._calls.pause()
                if ended is None:  # the call goes on: what is said meanwhile comes after it
                    self._late.append(event)
                    return
                events += ended
            self._close(events)
            self._open = type(event)
        events.append(event)

    def _close(self, events: list[StreamEvent]) -> None:
        if self._open is not None:
            events.append(BlockEnded())
            self._open = None

    def _take_call(self, call: Call, events: list[StreamEvent]) -> None:
        said = self._calls.take(call)
        if said:
            self._close(events)
            events += said

    def _end(self, events: list[StreamEvent]) -> None:
        if self._finish in BROKEN:
            self._fail(Failed(ErrorKind.API_ERROR, f"The provider broke its answer off ({self._finish})."), events)
            return
        if not self._started:
            self._break_off(events)
            return
        self._flush(events)
        try:
            rest = self._calls.finish()
        except UnnamedCallError:
            self._fail(Failed(ErrorKind.API_ERROR, "The provider sent a tool call without the tool's name."), events)
            return
        if rest:
            self._close(events)
            events += rest
        for event in self._late:
            self._say(event, events)
        self._close(events)
        self._ended = True
        events.append(Finished(self._stop(), read_usage(self._usage, self._tier)))

    def _flush(self, events: list[StreamEvent]) -> None:
        if self._tags is not None:
            for is_thought, piece in self._tags.finish():
                self._say_piece(is_thought, piece, events)
        if self._text_calls is not None:
            for rescued in self._text_calls.finish():
                self._say_rescued(rescued, events)

    def _stop(self) -> Stop:
        reason = CHAT_STOPS.get(self._finish or "stop", StopReason.END)
        called = self._calls.any or self._rescued
        if reason is StopReason.END and called:
            reason = StopReason.TOOL_CALLS
        elif reason is StopReason.END and self._refused:
            reason = StopReason.REFUSAL
        elif reason is StopReason.TOOL_CALLS and not called:
            reason = StopReason.END
        elif reason is StopReason.END and self._sequence is not None:
            return Stop(StopReason.STOP_SEQUENCE, self._sequence)
        return Stop(reason)


def _detail_text(details: list[Any] | None) -> str:
    """The thought in OpenRouter's `reasoning_details`, or in a thinking part of Mistral's."""
    texts: list[str] = []
    for detail in details or ():
        if not is_object(detail) or is_wrapped(str(detail.get("signature", ""))):
            continue  # a gateway like this one has told it as reasoning_content already
        inner = detail.get("thinking")
        said = [detail.get("text"), detail.get("summary"), inner if isinstance(inner, str) else None]
        texts += [text for text in said if isinstance(text, str)]
        if isinstance(inner, list):
            texts += [item["text"] for item in inner if is_object(item) and isinstance(item.get("text"), str)]
    return "".join(texts)
