"""Responses streams through the neutral events and back: nothing is lost, nothing breaks the grammar, cuts change
nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from gateway.dialects.accumulate import accumulate
from gateway.dialects.answer import (
    BlockEnded,
    Failed,
    Finished,
    RefusalDelta,
    Sealed,
    Started,
    Stop,
    StopReason,
    StreamEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStarted,
    Usage,
)
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.responses.codec import CODEC
from gateway.dialects.responses.grammar import violations
from gateway.dialects.responses.request_decoder import decode_request
from gateway.dialects.seals import unwrap
from gateway.dialects.sse import SSEDecoder
from gateway.dialects.turn import Request, Seal
from tests.transcripts.captured import exchanges

PROFILE = Profile("openai", apis=("responses", "chat"))
PLAIN = Request("gpt-5.5", ())
CAPTURED = [exchange for exchange in exchanges() if exchange.dialect is Dialect.RESPONSES]


def decode(body: bytes | Iterable[bytes], request: Request = PLAIN) -> list[StreamEvent]:
    decoder = CODEC.decode_stream(request, PROFILE)
    events = [event for chunk in ([body] if isinstance(body, bytes) else body) for event in decoder.feed(chunk)]
    return events + decoder.finish()


def encode(events: list[StreamEvent], request: Request = PLAIN) -> bytes:
    encoder = CODEC.encode_stream(request)
    return b"".join(encoder.encode([event]) for event in events)


def folded(body: bytes) -> dict[str, Any]:
    answer = accumulate(Dialect.RESPONSES, "text/event-stream", "", body)
    assert answer.message is not None
    return answer.message


def check(body: bytes) -> None:
    decoder = SSEDecoder()
    events = decoder.feed(body)
    assert decoder.finish() is None
    assert violations(events) == []


def without_ids(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in ("id", "content") or (key == "content" and value)}


def sse(*payloads: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (payload["type"].encode(), json.dumps({"sequence_number": n, **payload}).encode())
        for n, payload in enumerate(payloads)
    )


@pytest.mark.parametrize("exchange", CAPTURED, ids=str)
def test_a_real_stream_comes_out_as_it_went_in(exchange: Any) -> None:
    request = decode_request(exchange.request_body)
    again = encode(decode(exchange.response_body, request), request)
    check(again)
    before, after = folded(exchange.response_body), folded(again)
    assert [without_ids(item) for item in after["output"]] == [without_ids(item) for item in before["output"]]
    for name in ("status", "model", "usage", "store", "created_at"):
        assert after[name] == before[name], name
    assert [tool["type"] for tool in after["tools"]] == [tool["type"] for tool in before["tools"]]


@pytest.mark.parametrize("exchange", CAPTURED[1::3], ids=str)
def test_cuts_anywhere_change_nothing(exchange: Any) -> None:
    # The response objects at both ends are long and all alike inside.
    first = exchange.response_body.index(b"event: response.output_item.added")
    body = exchange.response_body[first : exchange.response_body.index(b"event: response.completed") + 200]
    whole = decode(body)
    assert decode(body[i : i + 1] for i in range(len(body))) == whole
    for cut in range(len(body)):
        assert decode([body[:cut], body[cut:]]) == whole


def test_text_thought_and_calls_are_announced_in_order() -> None:
    request = decode_request(
        b'{"model":"m","input":"hi","tools":[{"type":"custom","name":"apply_patch"},'
        b'{"type":"namespace","name":"agents","tools":[{"type":"function","name":"spawn"}]}]}'
    )
    body = encode(
        [
            Started("msg_1", "claude", created=12),
            ThinkingDelta("Hm"),
            Sealed(Seal(Dialect.ANTHROPIC, "SIGNED")),
            BlockEnded(),
            TextDelta("Wörld"),
            BlockEnded(),
            ToolCallStarted("toolu_1", "apply_patch"),
            ToolCallDelta('{"input":"*** Begin'),
            ToolCallDelta(' Patch\\n"}'),
            BlockEnded(),
            ToolCallStarted("toolu_2", "agents__spawn"),
            ToolCallDelta('{"n":1}'),
            BlockEnded(),
            Finished(Stop(StopReason.TOOL_CALLS), Usage(10, 5, 3)),
        ],
        request,
    )
    check(body)
    response = folded(body)
    thought, message, patch, spawn = response["output"]
    assert unwrap(thought["encrypted_content"], Dialect.RESPONSES) == Seal(Dialect.ANTHROPIC, "SIGNED")
    assert message["content"][0]["text"] == "Wörld"
    assert (patch["type"], patch["input"], patch["call_id"]) == ("custom_tool_call", "*** Begin Patch\n", "toolu_1")
    assert (spawn["name"], spawn["namespace"], spawn["arguments"]) == ("spawn", "agents", '{"n":1}')
    assert response["usage"]["input_tokens"] == 13
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 3}
    assert len({item["id"] for item in response["output"]}) == 4


def test_an_answer_without_text_has_no_message_item() -> None:
    body = encode([Started("a", "m"), ToolCallStarted("c", "f"), BlockEnded(), Finished(Stop(StopReason.TOOL_CALLS))])
    check(body)
    assert [(item["type"], item["arguments"]) for item in folded(body)["output"]] == [("function_call", "{}")]


@pytest.mark.parametrize(
    ("reason", "status", "details"),
    [
        (StopReason.END, "completed", None),
        (StopReason.STOP_SEQUENCE, "completed", None),
        (StopReason.MAX_TOKENS, "incomplete", {"reason": "max_output_tokens"}),
        (StopReason.CONTEXT_WINDOW, "incomplete", {"reason": "max_output_tokens"}),
        (StopReason.REFUSAL, "incomplete", {"reason": "content_filter"}),
        (StopReason.PAUSE, "incomplete", {"reason": "max_output_tokens"}),
    ],
)
def test_a_stop_reason_is_the_status(reason: StopReason, status: str, details: Any) -> None:
    body = encode([Started("a", "m"), TextDelta("x"), BlockEnded(), Finished(Stop(reason))])
    check(body)
    response = folded(body)
    assert (response["status"], response["incomplete_details"]) == (status, details)


@pytest.mark.parametrize("begun", [[], [Started("a", "m")], [Started("a", "m"), TextDelta("half")]])
def test_a_failure_is_told_as_failed_and_not_as_completed(begun: list[StreamEvent]) -> None:
    body = encode([*begun, Failed(ErrorKind.RATE_LIMIT, "Slow down.")])
    check(body)
    response = folded(body)
    assert response["error"] == {"code": "rate_limit_exceeded", "message": "Slow down."}
    assert response["status"] == "failed"


def test_pings_keep_the_count() -> None:
    encoder = CODEC.encode_stream(PLAIN)
    body = encoder.ping() + encoder.encode([Started("a", "m")]) + encoder.ping()
    body += encoder.encode([RefusalDelta("No."), BlockEnded(), Finished(Stop(StopReason.END))])
    assert body.startswith(b": ping\n\nevent: response.created\n")
    check(body)


ITEM = {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "f", "arguments": '{"a":1}'}
CREATED = {"type": "response.created", "response": {"id": "resp_1", "model": "gpt", "created_at": 5}}
HELLO = [Started("resp_1", "gpt", created=5), TextDelta("Hello"), BlockEnded(), Finished(Stop(StopReason.END))]


def completed(*output: dict[str, Any]) -> dict[str, Any]:
    return {"type": "response.completed", "response": {"id": "resp_1", "status": "completed", "output": list(output)}}


@pytest.mark.parametrize(
    "payloads",
    [
        [CREATED, {"type": "response.output_item.done", "output_index": 0, "item": ITEM}, completed()],
        [CREATED, completed(ITEM)],
        [CREATED, {"type": "response.output_text.delta", "output_index": 0, "delta": "Hello"}, completed(ITEM)],
        [CREATED, {"type": "response.output_text.delta", "output_index": 0, "delta": "Hello"}, completed()],
        [CREATED, {"type": "response.output_item.added", "output_index": 0, "item": {**ITEM, "content": []}},
         {"type": "response.some.new.event", "output_index": 0}, completed(ITEM)],
    ],
)  # fmt: skip
def test_whatever_a_server_leaves_out_the_answer_is_the_same(payloads: list[dict[str, Any]]) -> None:
    events = decode(sse(*payloads))
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello"
    assert [type(event) for event in events] == [type(event) for event in HELLO]


def test_interleaved_items_come_one_after_the_other() -> None:
    def added(index: int, call: str) -> dict[str, Any]:
        item = {"type": "function_call", "id": call, "call_id": call, "name": "f", "arguments": ""}
        return {"type": "response.output_item.added", "output_index": index, "item": item}

    def delta(index: int, text: str) -> dict[str, Any]:
        return {"type": "response.function_call_arguments.delta", "output_index": index, "delta": text}

    def done(index: int, call: str, text: str) -> dict[str, Any]:
        item = {"type": "function_call", "id": call, "call_id": call, "name": "f", "arguments": text}
        return {"type": "response.output_item.done", "output_index": index, "item": item}

    events = decode(
        sse(CREATED, added(0, "a"), added(1, "b"), delta(1, "{"), delta(0, '{"x"'), delta(1, "}"), done(1, "b", "{}"),
            delta(0, ":1}"), done(0, "a", '{"x":1}'), completed())
    )  # fmt: skip
    assert events[1:] == [
        ToolCallStarted("a", "f"),
        ToolCallDelta('{"x"'),
        ToolCallDelta(":1}"),
        BlockEnded(),
        ToolCallStarted("b", "f"),
        ToolCallDelta("{"),
        ToolCallDelta("}"),
        BlockEnded(),
        Finished(Stop(StopReason.TOOL_CALLS)),
    ]


def test_a_call_that_was_never_announced_is_told_when_it_is_done() -> None:
    events = decode(
        sse(CREATED, {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a"'},
            {"type": "response.output_item.done", "output_index": 0, "item": CALL}, completed())
    )  # fmt: skip
    assert events[1:-1] == [ToolCallStarted("call_1", "f"), ToolCallDelta('{"a":1}'), BlockEnded()]


def test_reasoning_is_a_thought_with_its_seal() -> None:
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "BLOB"}
    place = {"output_index": 0, "item_id": "rs_1"}
    events = decode(
        sse(
            CREATED,
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "One", **place},
            {"type": "response.reasoning_summary_part.done", "summary_index": 0, **place},
            {"type": "response.reasoning_summary_text.delta", "summary_index": 1, "delta": "Two", **place},
            {"type": "response.reasoning_text.delta", "content_index": 0, "delta": "raw", **place},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            completed(),
        )
    )
    assert events[1:-1] == [
        ThinkingDelta("One"),
        ThinkingDelta("\n\nTwo"),
        Sealed(Seal(Dialect.RESPONSES, "BLOB", "rs_1")),
        BlockEnded(),
    ]


@pytest.mark.parametrize(
    ("payloads", "kind", "said"),
    [
        ([CREATED], ErrorKind.API_ERROR, "broke off"),
        ([], ErrorKind.API_ERROR, "without an answer"),
        ([CREATED, {"type": "error", "code": "rate_limit_exceeded", "message": "Slow"}], ErrorKind.RATE_LIMIT, "Slow"),
        ([{"type": "error", "error": {"code": "server_error", "message": "Oops"}}], ErrorKind.API_ERROR, "Oops"),
        ([CREATED, {"type": "response.failed", "response": {"status": "failed", "error":
            {"code": "context_length_exceeded", "message": "Your input exceeds the context window of this model."}}}],
         ErrorKind.CONTEXT_LENGTH, "prompt is too long"),
        ([CREATED, {"type": "response.failed", "response": {"status": "failed", "error": None}}],
         ErrorKind.API_ERROR, "no reason"),
    ],
)  # fmt: skip
def test_a_broken_answer_ends_in_a_failure(payloads: list[dict[str, Any]], kind: ErrorKind, said: str) -> None:
    last = decode(sse(*payloads))[-1]
    assert isinstance(last, Failed)
    assert last.kind is kind
    assert said in last.message


def test_usage_is_read_with_the_cache_taken_out() -> None:
    usage = {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 60}, "output_tokens": 7,
             "output_tokens_details": {"reasoning_tokens": 3}}  # fmt: skip
    end = completed(ITEM)
    end["response"] |= {"usage": usage, "service_tier": "flex"}
    last = decode(sse(CREATED, end))[-1]
    assert isinstance(last, Finished)
    assert last.usage == Usage(40, 7, 60, None, 3, "flex")


def test_a_compaction_is_one_opaque_item() -> None:
    request = decode_request(
        b'{"model":"m","stream":true,"input":[{"role":"user","content":"hi"},{"type":"compaction_trigger"}]}'
    )
    body = encode([Started("a", "m"), TextDelta("We "), TextDelta("spoke."), BlockEnded(),
                   Finished(Stop(StopReason.END))], request)  # fmt: skip
    check(body)
    (item,) = folded(body)["output"]
    assert item["type"] == "compaction"
    again = decode_request(json.dumps({"model": "m", "input": [item]}).encode())
    assert "We spoke." in again.messages[0].content[0].text  # type: ignore[union-attr]


def test_a_schema_spread_over_lines_does_not_break_the_stream() -> None:
    request = decode_request(
        b'{"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":{\n"a":\n1.0}}]}'
    )
    body = encode([Started("a", "m"), TextDelta("x"), BlockEnded(), Finished(Stop(StopReason.END))], request)
    check(body)
    assert folded(body)["tools"][0]["parameters"] == {"a": 1.0}
