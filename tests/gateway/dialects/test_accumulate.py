"""Any answer of any dialect, through the one door the loader uses."""

from __future__ import annotations

import gzip
import json
from typing import Any

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.accumulate import accumulate, meter
from gateway.dialects.accumulated import Accumulated, StreamFold
from gateway.dialects.anthropic.stream import MessageFold
from gateway.dialects.chat.stream import CompletionFold
from gateway.dialects.json_values import write_json
from gateway.dialects.names import Dialect
from gateway.dialects.responses.stream import ResponseFold
from gateway.dialects.sse import ServerSentEvent
from tests.gateway.dialects.streams import SSE, chunks, named, read_json
from tests.transcripts.captured import Exchange, exchange, exchanges

JSON = "application/json"

# stop reason, input, output, cache read and cache write tokens of every captured answer that holds a message
EXPECTED = {
    "claude_bash_tool-1": ("tool_use", 2570, 123, 9844, 12),
    "claude_bash_tool-2": ("end_turn", 2742, 102, 9844, 12),
    "claude_overloaded_retry-2": ("end_turn", 2571, 102, 9844, 12),
    "claude_parallel_tools-1": ("tool_use", 2571, 189, 9844, 12),
    "claude_parallel_tools-2": ("end_turn", 2864, 102, 9844, 12),
    "claude_stream_cut_then_resume-1": (None, 2571, 1, 9844, 12),
    "claude_stream_cut_then_resume-2": ("end_turn", 2621, 102, 9844, 12),
    "claude_subagents-1": ("tool_use", 2571, 174, 9844, 12),
    "claude_subagents-2": ("end_turn", 3351, 102, 9844, 12),
    "claude_subagents-3": ("end_turn", 2141, 102, 5007, 12),
    "claude_subagents-4": ("end_turn", 2141, 102, 5007, 12),
    "claude_subagents-5": ("end_turn", 4154, 102, 9844, 12),
    "claude_three_turns-1": ("end_turn", 2568, 102, 9844, 12),
    "claude_three_turns-2": ("tool_use", 2700, 123, 9844, 12),
    "claude_three_turns-3": ("end_turn", 2872, 102, 9844, 12),
    "codex_apply_patch-1": ("completed", 9242, 30, 5, None),
    "codex_apply_patch-2": ("completed", 9510, 30, 5, None),
    "codex_resume-1": ("completed", 9239, 30, 5, None),
    "codex_resume-2": ("completed", 9496, 30, 5, None),
    "codex_resume-3": ("completed", 9763, 30, 5, None),
    "codex_shell_tool-1": ("completed", 9242, 30, 5, None),
    "codex_shell_tool-2": ("completed", 9509, 30, 5, None),
}


def read_exchange(captured: Exchange, coding: str = "", body: bytes | None = None) -> Accumulated:
    whole = captured.response_body if body is None else body
    return accumulate(captured.dialect, captured.content_type, coding, whole)


@pytest.mark.parametrize("captured", exchanges(), ids=str)
def test_captured_answers(captured: Exchange) -> None:
    answer = read_exchange(captured)
    assert answer.warnings == []
    assert answer.is_stream is captured.is_stream
    if captured.name not in EXPECTED:
        assert answer.message is None
        assert (answer.error_type is not None) is (captured.status >= 400)
        return
    stop_reason, *counts = EXPECTED[captured.name]
    assert answer.stop_reason == stop_reason
    tokens = meter(captured.dialect, answer.usage).tokens
    assert (tokens.input_tokens, tokens.output_tokens, tokens.cache_read_tokens, tokens.cache_write_tokens) == tuple(
        counts
    )
    assert answer.complete is (stop_reason is not None)
    assert answer.model == ("gpt-5.5" if captured.dialect is Dialect.RESPONSES else "claude-opus-5-5")


def test_captured_errors() -> None:
    overloaded = read_exchange(exchange("claude_overloaded_retry-1"))
    assert (overloaded.error_type, overloaded.error_message) == ("overloaded_error", "Overloaded")
    refused = read_exchange(exchange("claude_unsupported_field_retry-6"))
    assert refused.error_type == "invalid_request_error"
    assert refused.error_message == "messages.0.content: Input should be a valid list"


@pytest.mark.parametrize("name", ["claude_parallel_tools-1", "codex_apply_patch-1"])
def test_a_stream_gives_what_its_message_gives_without_a_stream(name: str) -> None:
    captured = exchange(name)
    streamed = read_exchange(captured)
    assert streamed.message is not None
    direct = read_json(captured.dialect, streamed.message)
    assert direct.message == streamed.message
    assert (direct.model, direct.stop_reason, direct.usage) == (streamed.model, streamed.stop_reason, streamed.usage)
    assert (direct.is_stream, direct.complete) == (False, None)


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_a_compressed_stream_is_the_same(coding: str) -> None:
    encode = {"gzip": gzip.compress, "br": brotli.compress, "zstd": zstandard.compress}[coding]
    captured = exchange("claude_bash_tool-1")
    assert read_exchange(captured, coding, encode(captured.response_body)) == read_exchange(captured)


def test_a_compressed_stream_that_was_cut_gives_what_was_there() -> None:
    captured = exchange("codex_shell_tool-2")
    answer = read_exchange(captured, "gzip", gzip.compress(captured.response_body)[:-200])
    assert answer.warnings[0] == "gzip content ends early"
    assert answer.model == "gpt-5.5"
    assert answer.complete is False


@pytest.mark.parametrize("name", ["claude_bash_tool-1", "codex_shell_tool-1"])
def test_a_stream_cut_at_any_byte_gives_a_part_of_the_whole(name: str) -> None:
    captured = exchange(name)
    size = len(captured.response_body)
    texts = []
    for cut in range(0, size, 1 if size < 5000 else 97):
        answer = read_exchange(captured, body=captured.response_body[:cut])
        assert not any("could not be read" in warning for warning in answer.warnings)
        assert not (answer.complete and cut < size - 2)
        texts.append(len(write_json(answer.message)))
    assert texts[-1] > texts[0]


WHOLE: dict[str, tuple[Dialect, Any, dict[str, Any]]] = {
    "an Anthropic message": (
        Dialect.ANTHROPIC,
        {"type": "message", "model": "m", "content": [], "stop_reason": "end_turn", "usage": {"input_tokens": 0}},
        {"model": "m", "stop_reason": "end_turn", "usage": {"input_tokens": 0}},
    ),
    "an Anthropic error": (
        Dialect.ANTHROPIC,
        {"type": "error", "error": {"type": "api_error", "message": "x"}, "request_id": "r"},
        {"message": None, "error_type": "api_error", "error_message": "x"},
    ),
    "a count of tokens is no message": (Dialect.ANTHROPIC, {"input_tokens": 20}, {"message": None, "usage": None}),
    "a list of models": (Dialect.ANTHROPIC, {"data": [], "has_more": False}, {"message": None, "model": None}),
    "an OpenAI error": (
        Dialect.CHAT,
        {"error": {"message": "x", "type": "insufficient_quota", "code": "insufficient_quota", "param": None}},
        {"message": None, "error_type": "insufficient_quota", "error_message": "x"},
    ),
    "an OpenAI error that has only a code": (
        Dialect.RESPONSES,
        {"error": {"message": "x", "type": None, "code": "boom"}},
        {"message": None, "error_type": "boom"},
    ),
    "embeddings": (
        Dialect.OPENAI,
        {"object": "list", "data": [], "model": "e", "usage": {"prompt_tokens": 5, "total_tokens": 5}},
        {"message": None, "model": "e", "usage": {"prompt_tokens": 5, "total_tokens": 5}},
    ),
    "a response that failed in a 200": (
        Dialect.RESPONSES,
        {"object": "response", "status": "failed", "error": {"code": "server_error", "message": "x"}},
        {"stop_reason": "failed", "error_type": "server_error"},
    ),
    "a response that still runs has no stop reason": (
        Dialect.RESPONSES,
        {"object": "response", "status": "queued"},
        {"stop_reason": None},
    ),
    "fields of wrong types": (
        Dialect.CHAT,
        {"model": 5, "usage": [], "choices": {"message": 1}},
        {"message": None, "model": None, "usage": None},
    ),
}


@pytest.mark.parametrize(("dialect", "body", "expected"), WHOLE.values(), ids=WHOLE)
def test_answers_that_are_no_streams(dialect: Dialect, body: Any, expected: dict[str, Any]) -> None:
    answer = read_json(dialect, body)
    assert answer.warnings == []
    assert (answer.is_stream, answer.complete) == (False, None)
    for name, value in expected.items():
        assert getattr(answer, name) == value
    assert answer.message in (None, body)


NOT_JSON = {
    "a page of HTML": ("text/html", b"<html>502 Bad Gateway</html>"),
    "plain text": ("text/plain", b"upstream connect error"),
    "JSON that was cut": (JSON, b'{"type":"mess'),
    "binary": ("application/octet-stream", bytes(range(256))),
    "no content type": ("", b"x"),
    "a list": (JSON, b"[1]"),
    "nesting beyond measure": (JSON, b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "a number of 5000 digits as a body": (JSON, b"9" * 5000),
}


@pytest.mark.parametrize(("content_type", "body"), NOT_JSON.values(), ids=NOT_JSON)
@pytest.mark.parametrize("dialect", Dialect)
def test_what_cannot_be_read_is_all_unknown_with_a_warning(dialect: Dialect, content_type: str, body: bytes) -> None:
    answer = accumulate(dialect, content_type, "", body)
    assert len(answer.warnings) == 1
    assert answer == Accumulated(warnings=answer.warnings)


def test_an_empty_body_is_nothing_odd() -> None:
    assert accumulate(Dialect.CHAT, "", "gzip", b"") == Accumulated()
    assert accumulate(Dialect.CHAT, SSE, "", b"") == Accumulated(is_stream=True)


START = {"type": "message_start", "message": {"type": "message", "model": "m", "content": []}}


def test_json_although_a_stream_was_announced() -> None:
    answer = accumulate(Dialect.ANTHROPIC, SSE, "", json.dumps(START["message"]).encode())
    assert (answer.model, answer.is_stream) == ("m", False)
    assert answer.warnings == ["JSON under the content type of a stream"]


def test_a_stream_although_json_was_announced() -> None:
    answer = accumulate(Dialect.ANTHROPIC, JSON, "", named(START))
    assert (answer.model, answer.is_stream) == ("m", True)
    assert answer.warnings == [f"events under content type {JSON!r}"]


def test_html_although_a_stream_was_announced() -> None:
    answer = accumulate(Dialect.ANTHROPIC, SSE, "", b"<html>\n<body>\n</html>\n")
    assert (answer.message, answer.complete) == (None, False)
    assert answer.warnings == ["the stream holds no event"]


def with_data(data: bytes) -> Accumulated:
    middle = b"event: content_block_delta\ndata: " + data + b"\n\n"
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    return accumulate(Dialect.ANTHROPIC, SSE, "", named(START, block) + middle + named({"type": "message_stop"}))


def delta(text: bytes) -> bytes:
    return b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"' + text + b'"}}'


LENIENT = {
    "U+2028 is text like any other": ("a\u2028b".encode(), "a\u2028b", 0),
    "invalid UTF-8 is replaced": (b"a\xffb", "a\ufffdb", 1),
    "a NUL": (b"a\x00b", "a\0b", 1),
    "an escaped NUL": (b"a\\u0000b", "a\0b", 0),
    "half a surrogate pair": (b"a\\ud83d", "a\ufffd", 1),
}


@pytest.mark.parametrize(("raw", "text", "warnings"), LENIENT.values(), ids=LENIENT)
def test_text_that_is_not_clean(raw: bytes, text: str, warnings: int) -> None:
    answer = with_data(delta(raw))
    assert answer.message is not None
    assert answer.message["content"] == [{"type": "text", "text": text}]
    assert len(answer.warnings) == warnings
    assert json.loads(write_json(answer.message)) == answer.message


BROKEN = {
    "not JSON": (b"{oops", "event 3 is not JSON"),
    "no object": (b"[1]", "event 3 holds no object"),
    "nothing to read": (b"\xff\xfe", "event 3 is not JSON"),
    "nesting beyond measure": (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "event 3 is not JSON"),
}


@pytest.mark.parametrize(("data", "warning"), BROKEN.values(), ids=BROKEN)
def test_an_event_that_cannot_be_read_does_not_stop_the_others(data: bytes, warning: str) -> None:
    answer = with_data(data)
    assert answer.warnings == [warning]
    assert answer.complete
    assert answer.message is not None


def test_the_last_event_counts_without_its_blank_line() -> None:
    answer = accumulate(Dialect.CHAT, SSE, "", chunks({"choices": [], "usage": {"prompt_tokens": 1}}).rstrip(b"\n"))
    assert (answer.complete, answer.usage) == (True, {"prompt_tokens": 1})


def test_the_last_event_may_be_cut_off() -> None:
    body = named(START) + b'event: message_delta\ndata: {"type":"message_delta","del'
    answer = accumulate(Dialect.ANTHROPIC, SSE, "", body)
    assert answer.warnings == ["event 2 was cut off"]


def test_a_line_of_ten_megabytes_is_read() -> None:
    answer = with_data(delta(b"x" * 10_000_000))
    assert answer.message is not None
    assert len(answer.message["content"][0]["text"]) == 10_000_000
    assert answer.warnings == []


def test_a_line_over_the_cap_is_left_out_with_a_warning() -> None:
    answer = with_data(delta(b"x" * 17_000_000))
    assert answer.message is not None
    assert answer.message["content"] == [{"type": "text", "text": ""}]
    assert len(answer.warnings) == 2


def test_warnings_are_bounded() -> None:
    answer = accumulate(Dialect.ANTHROPIC, SSE, "", b"data: oops\n\n" * 50_000)
    assert len(answer.warnings) == 21
    assert answer.warnings[-1] == "and 49980 more warnings"


def test_columns_get_no_nul_and_no_half_surrogates() -> None:
    body = b'{"type":"message","model":"a\\u0000","stop_reason":"\\ud800","usage":{"k\\u0000":"\\ud800"}}'
    answer = accumulate(Dialect.ANTHROPIC, JSON, "", body)
    assert (answer.model, answer.stop_reason, answer.usage) == ("a\ufffd", "\ufffd", {"k\ufffd": "\ufffd"})


@settings(max_examples=300)
@given(
    st.sampled_from(list(Dialect)),
    st.sampled_from([SSE, JSON, "", "text/html; charset=utf-8"]),
    st.sampled_from(["", "gzip", "br", "zstd", "deflate", "nonsense"]),
    st.binary(max_size=100),
)
def test_arbitrary_bytes_never_raise(dialect: Dialect, content_type: str, coding: str, body: bytes) -> None:
    answer = accumulate(dialect, content_type, coding, body)
    assert not any("could not be read" in warning for warning in answer.warnings)


keys = [
    "type", "index", "delta", "content_block", "message", "content", "usage", "text", "partial_json", "citation",
    "choices", "tool_calls", "function", "name", "arguments", "id", "finish_reason", "logprobs", "error", "code",
    "response", "item", "output_index", "content_index", "summary_index", "part", "annotation", "status", "output",
    "to", "model", "input", "_deltas", "annotations", "citations", "summary", "incomplete_details", "object",
]  # fmt: skip
kinds = [
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop", "error", "text_delta", "input_json_delta", "signature_delta", "citations_delta", "fallback",
    "compaction_delta", "response.created", "response.completed", "response.output_item.added", "response.incomplete",
    "response.output_item.done", "response.content_part.added", "response.output_text.delta", "in_progress",
    "response.output_text.done", "response.output_text.annotation.added", "response.function_call_arguments.delta",
    "response.reasoning_summary_text.delta", "response.reasoning_summary_part.done", "message", "text", "",
]  # fmt: skip
scraps = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.floats(), st.text(max_size=3), st.sampled_from(kinds)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(keys), inner, max_size=5)),
    max_leaves=12,
)
fields = st.tuples(st.sampled_from(kinds), st.lists(st.tuples(st.sampled_from(keys), scraps), max_size=5))
garbage = st.lists(fields.map(lambda drawn: dict(drawn[1]) | {"type": drawn[0]}), max_size=6)


@settings(max_examples=150)
@given(garbage)
def test_no_garbage_raises_inside_a_fold(payloads: list[dict[str, Any]]) -> None:
    """Without the facade's safety net, which would hide it."""
    folds: list[StreamFold] = [MessageFold(), CompletionFold(), ResponseFold()]
    for payload in payloads:
        for fold in folds:
            fold.add(ServerSentEvent(b"x", json.dumps(payload).encode(), 0, 0))
    for fold in folds:
        json.loads(write_json(fold.result().message))
