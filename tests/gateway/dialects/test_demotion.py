"""A call for a whole answer made as a stream: one member changes on the way out, nothing on the way back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.demotion import demote, fold_answer
from gateway.dialects.names import Dialect
from tests.upstream import chat_api, messages_api, responses_api
from tests.upstream.content import content_for

CLAUDE, CHAT, RESPONSES = Dialect.ANTHROPIC, Dialect.CHAT, Dialect.RESPONSES
KINDS = ["text", "tools", "thinking", "parallel_tools"]
ASKED: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"name": "get_weather", "input_schema": {"type": "object", "properties": {"n": {"type": "number"}}}}],
}


@pytest.mark.parametrize(
    ("dialect", "body", "demoted"),
    [
        (CLAUDE, b'{"model":"m", "stream" : false}', b'{"model":"m", "stream" : true}'),
        (CLAUDE, b'{"stream":null,"x":{"stream":false}}', b'{"stream":true,"x":{"stream":false}}'),
        (CLAUDE, b' { "model":"m"}', b' {"stream":true, "model":"m"}'),
        (RESPONSES, b'{"model":"m"}', b'{"stream":true,"model":"m"}'),
        (CHAT, b'{"model":"m"}', b'{"stream":true,"stream_options":{"include_usage":true},"model":"m"}'),
    ],
)
def test_only_the_bytes_of_the_stream_member_change(dialect: Dialect, body: bytes, demoted: bytes) -> None:
    result = demote(dialect, body)
    assert result is not None
    changed, ((start, end, text),) = result
    assert changed == demoted == body[:start] + text + body[end:]


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (CLAUDE, b'{"stream":true}'),
        (CLAUDE, b'{"stream":false,"stream":true}'),
        (CLAUDE, b"{}"),
        (CLAUDE, b"[]"),
        (CLAUDE, b""),
        (Dialect.OPENAI, b'{"input":"embed me"}'),
    ],
)
def test_what_is_no_call_for_a_whole_answer_is_left_alone(dialect: Dialect, body: bytes) -> None:
    assert demote(dialect, body) is None


def pair(dialect: Dialect, kind: str) -> tuple[dict[str, Any], bytes]:
    """The whole answer, and the stream of it."""
    content = content_for(ASKED, 100, kind, {})
    if dialect is CLAUDE:
        return messages_api.message(content, "m", 1), b"".join(messages_api.stream(content, "m", 1))
    if dialect is CHAT:
        stream = chat_api.stream(content, "m", 1, include_usage=True)
        return chat_api.completion(content, "m", 1), b"".join(stream)
    return responses_api.response(content, ASKED, 1), b"".join(responses_api.stream(content, ASKED, 1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", [CLAUDE, CHAT, RESPONSES])
def test_the_stream_folds_to_the_whole_answer(dialect: Dialect, kind: str) -> None:
    whole, stream = pair(dialect, kind)
    folded = fold_answer(dialect, stream, "id")
    assert folded.status == 200
    answer = json.loads(folded.body)
    answer.pop("context_management", None)  # the fake provider says it in streams only
    for choice in (*answer.get("choices", ()), *whole.get("choices", ())):
        choice["message"] = {key: value for key, value in choice["message"].items() if value is not None}
    assert answer == whole


def claude(*payloads: dict[str, Any]) -> bytes:
    return b"".join(messages_api.event(str(payload["type"]), payload) for payload in payloads)


START = {
    "type": "message_start",
    "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                "stop_reason": None, "new_field": 12345678901234567890, "usage": {"input_tokens": 3}},
}  # fmt: skip
END = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
       {"type": "message_stop"}]  # fmt: skip


def test_numbers_citations_signatures_and_unknown_blocks_are_kept() -> None:
    body = claude(
        START,
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "S"}},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "input": {}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"n":9'}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta",
                                                            "partial_json": '007199254740993,"f":1.0}'}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation": {"url": "u"}}},
        {"type": "content_block_start", "index": 3, "content_block": {"type": "brand_new", "x": 12345678901234567890}},
        {"type": "content_block_delta", "index": 3, "delta": {"type": "newer_delta", "y": 1}},
        *END,
    )  # fmt: skip
    folded = fold_answer(CLAUDE, body, "id")
    message = json.loads(folded.body)
    assert message["content"] == [
        {"type": "thinking", "thinking": "Hm", "signature": "S"},
        {"type": "tool_use", "id": "t", "input": {"n": 9007199254740993, "f": 1.0}},
        {"type": "text", "text": "", "citations": [{"url": "u"}]},
        {"type": "brand_new", "x": 12345678901234567890},
    ]
    assert message["new_field"] == 12345678901234567890
    assert message["usage"] == {"input_tokens": 3, "output_tokens": 5}
    assert b"9007199254740993" in folded.body
    assert b'"f":1.0' in folded.body


def test_a_responses_object_comes_byte_for_byte() -> None:
    response = b'{ "id":"resp_1","status":"completed","output":[{"type":"x","n":1.10}],"new":1e5 }'
    body = b'event: response.completed\ndata: {"type":"response.completed","response":' + response + b"}\n\n"
    assert fold_answer(RESPONSES, body, "id").body == response


@pytest.mark.parametrize(
    ("dialect", "body", "status", "said"),
    [
        (CLAUDE, claude(START, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), 529,
         "overloaded_error"),
        (CLAUDE, claude({"type": "error", "error": {"type": "rate_limit_error", "message": "Slow"}}), 429, "Slow"),
        (CLAUDE, claude({"type": "error", "error": {"type": "invalid_request_error", "message": "No"}}), 400, "No"),
        (CHAT, b'data: {"error":{"message":"Slow","code":"rate_limit_exceeded"}}\n\ndata: [DONE]\n\n', 429, "Slow"),
        (RESPONSES, b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded","message":"Slow"}\n\n', 429,
         "rate_limit_exceeded"),
    ],
)  # fmt: skip
def test_an_error_event_is_the_error_it_stands_for(dialect: Dialect, body: bytes, status: int, said: str) -> None:
    folded = fold_answer(dialect, body, "id")
    assert folded.status == status
    assert said in json.dumps(json.loads(folded.body)["error"])
    assert folded.problem


@pytest.mark.parametrize("dialect", [CLAUDE, CHAT, RESPONSES])
def test_a_cut_stream_is_a_502_wherever_it_was_cut(dialect: Dialect) -> None:
    _, stream = pair(dialect, "tools")
    ends = {
        CLAUDE: b"event: message_stop",
        CHAT: b'"finish_reason":"tool_calls"',
        RESPONSES: b"event: response.completed",
    }
    last = stream.index(ends[dialect])
    for cut in range(0, last, 11):
        folded = fold_answer(dialect, stream[:cut], "id")
        assert folded.status == 502, stream[:cut]
        assert "broke off" in json.loads(folded.body)["error"]["message"]


@given(st.dictionaries(st.text(max_size=5) | st.just("stream"), st.none() | st.booleans() | st.text(max_size=5)))
def test_any_object_is_demoted_to_itself_with_a_stream(fields: dict[str, Any]) -> None:
    body = json.dumps(fields).encode()
    result = demote(CLAUDE, body)
    if not fields or fields.get("stream", False) not in (None, False):
        assert result is None
    else:
        assert result is not None
        assert json.loads(result[0]) == fields | {"stream": True}
