"""The events of Responses folded into the response object that the non-streaming API would have given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.names import Dialect
from gateway.dialects.sse import SSEDecoder
from tests.gateway.dialects.streams import named, read_json
from tests.gateway.dialects.streams import read as read_any
from tests.transcripts.captured import Exchange, streams

USAGE = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12}


def response(status: str = "in_progress", **more: Any) -> dict[str, Any]:
    return {
        "id": "resp_1",
        "object": "response",
        "model": "gpt-x",
        "status": status,
        "output": [],
        "usage": None,
    } | more


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **more}


CREATED = event("created", response=response())


def added(index: int, **item: Any) -> dict[str, Any]:
    return event("output_item.added", output_index=index, item=item)


def done(index: int, **item: Any) -> dict[str, Any]:
    return event("output_item.done", output_index=index, item=item)


def read(*events: dict[str, Any]) -> Any:
    return read_any(Dialect.RESPONSES, named(*events))


MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}


def test_the_finished_response_wins() -> None:
    final = response("completed", output=[MESSAGE], usage=USAGE)
    answer = read(CREATED, added(0, id="other", type="message"), event("completed", response=final))
    assert answer.message == final
    assert (answer.model, answer.stop_reason, answer.usage) == ("gpt-x", "completed", USAGE)
    assert (answer.complete, answer.is_stream, answer.warnings) == (True, True, [])


def test_a_response_that_is_only_named_keeps_its_items_and_its_status() -> None:
    answer = read(CREATED, done(0, **MESSAGE), event("completed", response={"id": "resp_1"}))
    assert answer.message["output"] == [MESSAGE]
    assert answer.message["status"] == answer.stop_reason == "completed"
    assert answer.model == "gpt-x"
    assert answer.usage is None
    assert len(answer.warnings) == 1


def test_items_alone_are_enough() -> None:
    answer = read(done(0, **MESSAGE), event("completed", response={"id": "resp_1"}))
    assert answer.message["output"] == [MESSAGE]
    assert answer.complete


def test_a_response_ended_for_length() -> None:
    final = response("incomplete", incomplete_details={"reason": "max_output_tokens"}, output=[MESSAGE])
    answer = read(CREATED, event("incomplete", response=final))
    assert (answer.stop_reason, answer.complete, answer.error_type) == ("max_output_tokens", True, None)


def test_a_response_that_failed() -> None:
    final = response("failed", error={"code": "server_error", "message": "boom"})
    answer = read(CREATED, event("failed", response=final))
    assert (answer.stop_reason, answer.error_type, answer.error_message) == ("failed", "server_error", "boom")
    assert answer.complete


ERRORS = {
    "flat": {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None},
    "nested": {"type": "error", "error": {"type": "rate_limit_exceeded", "message": "slow down"}},
    "without a type": {"error": {"code": "rate_limit_exceeded", "message": "slow down"}},
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_an_error_event(error: dict[str, Any]) -> None:
    body = named(CREATED) + b"data: " + json.dumps(error).encode() + b"\n\n"
    answer = read_any(Dialect.RESPONSES, body)
    assert (answer.error_type, answer.error_message) == ("rate_limit_exceeded", "slow down")
    assert (answer.complete, answer.stop_reason) == (False, None)


def text_delta(delta: str, index: int = 0, part: int = 0) -> dict[str, Any]:
    return event("output_text.delta", output_index=index, item_id="msg_1", content_index=part, delta=delta)


NEW_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
NEW_PART = event("content_part.added", output_index=0, content_index=0, part={"type": "output_text", "text": ""})

CUT: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "text from its deltas": (
        [added(0, **NEW_MESSAGE), NEW_PART, text_delta("Hel"), text_delta("lo")],
        [MESSAGE],
    ),
    "text from its done event": (
        [
            added(0, **NEW_MESSAGE),
            NEW_PART,
            text_delta("He"),
            event("output_text.done", output_index=0, content_index=0, text="Hello"),
        ],
        [MESSAGE],
    ),
    "a part from its done event": (
        [
            added(0, **NEW_MESSAGE),
            NEW_PART,
            text_delta("He"),
            event("content_part.done", output_index=0, content_index=0, part=MESSAGE["content"][0]),
        ],
        [MESSAGE],
    ),
    "an item from its done event": (
        [added(0, **NEW_MESSAGE), text_delta("He"), done(0, **MESSAGE), text_delta("x")],
        [MESSAGE],
    ),
    "a refusal": (
        [added(0, **NEW_MESSAGE), event("refusal.delta", output_index=0, content_index=0, delta="no")],
        [NEW_MESSAGE | {"content": [{"type": "refusal", "refusal": "no"}]}],
    ),
    "an annotation": (
        [
            added(0, **NEW_MESSAGE),
            NEW_PART,
            text_delta("a"),
            event("output_text.annotation.added", output_index=0, content_index=0, annotation={"url": "u"}),
        ],
        [NEW_MESSAGE | {"content": [{"type": "output_text", "text": "a", "annotations": [{"url": "u"}]}]}],
    ),
    "two parts": (
        [added(0, **NEW_MESSAGE), text_delta("a"), text_delta("b", part=1)],
        [NEW_MESSAGE | {"content": [{"type": "output_text", "text": "a"}, {"type": "output_text", "text": "b"}]}],
    ),
    "a function call": (
        [
            added(0, id="fc_1", type="function_call", call_id="c", name="f", arguments=""),
            event("function_call_arguments.delta", output_index=0, item_id="fc_1", delta='{"a"'),
            event("function_call_arguments.delta", output_index=0, item_id="fc_1", delta=":1}"),
        ],
        [{"id": "fc_1", "type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'}],
    ),
    "arguments from their done event": (
        [
            added(0, id="fc_1", type="function_call", arguments=""),
            event("function_call_arguments.delta", output_index=0, delta="{"),
            event("function_call_arguments.done", output_index=0, arguments="{}"),
        ],
        [{"id": "fc_1", "type": "function_call", "arguments": "{}"}],
    ),
    "a custom tool's input": (
        [
            added(0, id="ct_1", type="custom_tool_call", name="apply_patch", input=""),
            event("custom_tool_call_input.delta", output_index=0, delta="*** Begin"),
            event("custom_tool_call_input.delta", output_index=0, delta=" Patch"),
        ],
        [{"id": "ct_1", "type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin Patch"}],
    ),
    "reasoning and its summaries": (
        [
            added(0, id="rs_1", type="reasoning", summary=[]),
            event(
                "reasoning_summary_part.added",
                output_index=0,
                summary_index=0,
                part={"type": "summary_text", "text": ""},
            ),
            event("reasoning_summary_text.delta", output_index=0, summary_index=0, delta="a"),
            event("reasoning_summary_text.delta", output_index=0, summary_index=1, delta="b"),
            event("reasoning_text.delta", output_index=0, content_index=0, delta="c"),
        ],
        [
            {
                "id": "rs_1",
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
                "content": [{"type": "reasoning_text", "text": "c"}],
            }
        ],
    ),
    "items in the order of their place": (
        [done(1, id="b", type="message"), done(0, id="a", type="reasoning")],
        [{"id": "a", "type": "reasoning"}, {"id": "b", "type": "message"}],
    ),
    "an item of an unknown type is kept as it came": (
        [added(0, id="x", type="hologram", beams=[1]), event("hologram.beam", output_index=0, delta="?")],
        [{"id": "x", "type": "hologram", "beams": [1]}],
    ),
}


@pytest.mark.parametrize(("events", "output"), CUT.values(), ids=CUT)
def test_a_cut_stream_gives_what_was_there(events: list[dict[str, Any]], output: list[dict[str, Any]]) -> None:
    answer = read(CREATED, *events)
    assert answer.message["output"] == output
    assert (answer.complete, answer.stop_reason, answer.warnings) == (False, None, [])
    assert answer.model == "gpt-x"


def test_deltas_of_an_item_never_announced() -> None:
    answer = read(CREATED, text_delta("a"), text_delta("b"))
    assert answer.message["output"] == [
        {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "ab"}]}
    ]
    assert len(answer.warnings) == 1


def test_events_that_are_no_part_of_a_response_are_passed_over() -> None:
    limits = {"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": 5}}}
    answer = read(CREATED, limits, event("completed", response=response("completed", output=[MESSAGE])))
    assert answer.message["output"] == [MESSAGE]
    assert answer.warnings == []


CODEX = [stream for stream in streams() if stream.dialect is Dialect.RESPONSES]


@pytest.mark.parametrize("stream", CODEX, ids=str)
def test_a_captured_stream_says_the_same_without_its_end(stream: Exchange) -> None:
    """The items built from deltas, from done events and from the finished response are the same."""
    events = SSEDecoder().feed(stream.response_body)
    final = json.loads(events[-1].data)["response"]
    assert len(final["output"]) == 2
    for count in (len(events) - 1, len(events)):
        answer = read_any(Dialect.RESPONSES, stream.response_body[: events[count - 1].end + 1])
        assert answer.message is not None
        assert answer.message["output"] == final["output"]
    assert answer.message == final
    assert (answer.stop_reason, answer.usage) == ("completed", final["usage"])


def test_a_stream_gives_what_the_whole_answer_gives() -> None:
    final = response("completed", output=[MESSAGE], usage=USAGE)
    streamed = read(CREATED, done(0, **MESSAGE), event("completed", response=final))
    direct = read_json(Dialect.RESPONSES, final)
    assert streamed.message == direct.message == final
    assert (streamed.stop_reason, streamed.usage, streamed.model) == (direct.stop_reason, direct.usage, direct.model)
