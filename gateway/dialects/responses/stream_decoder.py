"""A Responses stream as neutral events.

Clients of this API may rely on nothing but `response.output_item.done` and the terminal event, so an item that had no
deltas is told whole when it is done, and one that is only in the final response is told then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.dialects.answer import (
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
from gateway.dialects.failures import ErrorKind
from gateway.dialects.faults import read_failure
from gateway.dialects.json_values import NotJSONError, object_or_none, text_or_none
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.responses.answer_decoder import created_at, decode_output, stop_of
from gateway.dialects.responses.item_series import ItemSeries
from gateway.dialects.responses.usage import read_usage
from gateway.dialects.responses.wire import Event, decode_event, object_in, read_event
from gateway.dialects.stream_reader import StreamReader
from gateway.dialects.turn import Request, ToolKind, Unknown

_TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.cancelled", "response.canceled"})
_STREAMED_CALLS: Final[dict[str, ToolKind]] = {"function_call": "function", "custom_tool_call": "custom"}
_NO_REASON: Final = "The provider broke its answer off and gave no reason."


class ResponsesStreamDecoder(StreamReader):
    """The fold. A terminal event is the end; without one the answer broke off."""

    def __init__(self, request: Request, profile: Profile) -> None:
        super().__init__(request)
        self._series = ItemSeries()

    def _read(self, data: bytes, events: list[StreamEvent]) -> None:
        try:
            event = decode_event(data)
        except ValueError:
            try:
                event = read_event(data)
            except NotJSONError:
                return  # [DONE], or noise between the events
        take = _HANDLERS.get(event.type)
        if take is not None:
            take(self, event, events)
        elif event.error:
            self._fail(read_failure({"error": event.error}), events)

    def _start(self, event: Event, events: list[StreamEvent]) -> None:
        response = object_in(event.response)
        self._begin(events, response)

    def _begin(self, events: list[StreamEvent], response: dict[str, Any] | None = None) -> None:
        if self._started:
            return
        self._started = True
        said = response or {}
        model = text_or_none(said.get("model")) or self._request.model
        events.append(Started(text_or_none(said.get("id")) or "", model, created=created_at(said)))

    def _add_item(self, event: Event, events: list[StreamEvent]) -> None:
        self._begin(events)
        item = object_in(event.item)
        kind = _STREAMED_CALLS.get(str(item.get("type")))
        call, name = text_or_none(item.get("call_id")), text_or_none(item.get("name"))
        if kind is None or not call or not name:
            self._series.item(event.output_index)
            return
        state = self._series.item(event.output_index)
        state.named, state.part = True, ("call", 0)
        namespace = text_or_none(item.get("namespace")) or ""
        self._series.put(event.output_index, ToolCallStarted(call, name, kind, namespace), events)

    def _add_text(self, event: Event, events: list[StreamEvent]) -> None:
        self._say(event, ("text", event.content_index), TextDelta(event.delta), events)

    def _add_refusal(self, event: Event, events: list[StreamEvent]) -> None:
        self._say(event, ("refusal", event.content_index), RefusalDelta(event.delta), events)

    def _add_summary(self, event: Event, events: list[StreamEvent]) -> None:
        self._think(event, "summary", event.summary_index, events)

    def _add_thought(self, event: Event, events: list[StreamEvent]) -> None:
        self._think(event, "text", event.content_index, events)

    def _think(self, event: Event, form: str, part: int, events: list[StreamEvent]) -> None:
        """A thought is told in one form: whichever comes first, its summary or its text."""
        state = self._series.item(event.output_index)
        if state.done or (state.thought and not state.thought.startswith(form)):
            return
        place = f"{form}{part}"
        delta = event.delta if state.thought in ("", place) else "\n\n" + event.delta
        state.thought = place
        self._say(event, ("thought", 0), ThinkingDelta(delta), events)

    def _say(self, event: Event, part: tuple[str, int], delta: StreamEvent, events: list[StreamEvent]) -> None:
        series, index = self._series, event.output_index
        state = series.items.get(index)
        if state is None or not self._started:
            self._begin(events)
            state = series.item(index)
        if state.done or not event.delta:
            return
        if state.part != part:
            series.open_part(index, part, events)
        series.put(index, delta, events)

    def _add_arguments(self, event: Event, events: list[StreamEvent]) -> None:
        state = self._series.item(event.output_index)
        # Of a call that was never announced nothing is told before it is done: its id and name are not known.
        if state.named and not state.done and event.delta:
            state.said = True
            self._series.put(event.output_index, ToolCallDelta(event.delta), events)

    def _add_annotation(self, event: Event, events: list[StreamEvent]) -> None:
        state = self._series.item(event.output_index)
        if event.annotation and state.part is not None and state.part[0] == "text":
            raw = bytes(event.annotation).decode()
            kind = str(object_in(event.annotation).get("type", ""))
            self._series.put(event.output_index, CitationAdded(Unknown(Dialect.RESPONSES, kind, raw)), events)

    def _end_part(self, event: Event, events: list[StreamEvent]) -> None:
        """A part of a message; a thought goes on until its item is done."""
        state = self._series.item(event.output_index)
        if not state.done and state.part is not None and state.part[0] != "thought":
            self._series.close_part(event.output_index, events)

    def _end_item(self, event: Event, events: list[StreamEvent]) -> None:
        self._begin(events)
        self._series.end(event.output_index, decode_output(object_in(event.item)), events)

    def _end(self, event: Event, events: list[StreamEvent]) -> None:
        response = object_in(event.response)
        if response.get("error") or response.get("status") == "failed":
            self._fail_with(event, events)
            return
        self._begin(events, response)
        output = response.get("output")
        for index, item in enumerate(output if isinstance(output, list) else ()):
            self._series.end(index, decode_output(item), events)
        self._series.finish(events)
        if "cancel" in event.type:
            self._fail(Failed(ErrorKind.API_ERROR, "The provider cancelled its answer."), events)
            return
        self._ended = True
        tier = text_or_none(response.get("service_tier"))
        usage = read_usage(object_or_none(response.get("usage")), tier)
        events.append(Finished(self._stop(event, response), usage))

    def _stop(self, event: Event, response: dict[str, Any]) -> Stop:
        stop = stop_of({"status": event.type.partition(".")[2], **response}, ())
        if stop.reason is not StopReason.END:
            return stop
        if self._series.called:
            return Stop(StopReason.TOOL_CALLS)
        refused = self._series.refused and not self._series.spoke
        return Stop(StopReason.REFUSAL) if refused else stop

    def _fail_with(self, event: Event, events: list[StreamEvent]) -> None:
        """`response.failed`, with the error in the response."""
        response = object_in(event.response)
        if not response.get("error"):
            self._fail(Failed(ErrorKind.API_ERROR, _NO_REASON), events)
        else:
            self._fail(read_failure({"error": response["error"]}), events)

    def _fail_bare(self, event: Event, events: list[StreamEvent]) -> None:
        """An `error` event, which is the error itself or holds it."""
        flat = {"code": event.code, "message": event.message}
        self._fail(read_failure({"error": event.error or flat}), events)


_Handler = Callable[[ResponsesStreamDecoder, Event, list[StreamEvent]], None]
_HANDLERS: Final[dict[str, _Handler]] = {
    "response.output_text.delta": ResponsesStreamDecoder._add_text,
    "response.function_call_arguments.delta": ResponsesStreamDecoder._add_arguments,
    "response.custom_tool_call_input.delta": ResponsesStreamDecoder._add_arguments,
    "response.reasoning_summary_text.delta": ResponsesStreamDecoder._add_summary,
    "response.reasoning_text.delta": ResponsesStreamDecoder._add_thought,
    "response.refusal.delta": ResponsesStreamDecoder._add_refusal,
    "response.output_text.annotation.added": ResponsesStreamDecoder._add_annotation,
    "response.content_part.done": ResponsesStreamDecoder._end_part,
    "response.output_item.added": ResponsesStreamDecoder._add_item,
    "response.output_item.done": ResponsesStreamDecoder._end_item,
    "response.created": ResponsesStreamDecoder._start,
    "response.in_progress": ResponsesStreamDecoder._start,
    "response.failed": ResponsesStreamDecoder._fail_with,
    "error": ResponsesStreamDecoder._fail_bare,
    **dict.fromkeys(_TERMINAL, ResponsesStreamDecoder._end),
}
