"""Chunks folded into the completion that the non-streaming API would have given, from strict and loose servers."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.dialects.names import Dialect
from tests.gateway.dialects.streams import chunks, read_json
from tests.gateway.dialects.streams import read as read_any

USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def chunk(
    delta: dict[str, Any] | None = None, reason: str | None = None, index: int = 0, **more: Any
) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": index, "finish_reason": reason}
    if delta is not None:
        choice["delta"] = delta
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 5,
        "model": "gpt-x",
        "choices": [choice],
        **more,
    }


def call(index: int | None, call_id: str | None = None, name: str | None = None, arguments: str | None = None) -> Any:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    fragment: dict[str, Any] = {"function": function}
    if index is not None:
        fragment["index"] = index
    if call_id is not None:
        fragment |= {"id": call_id, "type": "function"}
    return {"tool_calls": [fragment]}


def made(call_id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def read(*payloads: dict[str, Any], done: bool = True) -> Any:
    return read_any(Dialect.CHAT, chunks(*payloads, done=done))


MESSAGES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "text": (
        [{"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"}, {}],
        {"role": "assistant", "content": "Hello"},
    ),
    "text in the first chunk": ([{"role": "assistant", "content": "Hi"}], {"role": "assistant", "content": "Hi"}),
    "the role repeated in each chunk": (
        [{"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}],
        {"role": "assistant", "content": "ab"},
    ),
    "a refusal": (
        [{"role": "assistant", "content": None, "refusal": "I "}, {"refusal": "won't"}],
        {"role": "assistant", "content": None, "refusal": "I won't"},
    ),
    "reasoning": (
        [{"reasoning_content": "h"}, {"reasoning_content": "m"}, {"content": "x"}],
        {"role": "assistant", "reasoning_content": "hm", "content": "x"},
    ),
    "a tool call": (
        [
            {"role": "assistant", "content": None} | call(0, "c1", "f", ""),
            call(0, arguments='{"a'),
            call(0, arguments='":1}'),
        ],
        {"role": "assistant", "content": None, "tool_calls": [made("c1", "f", '{"a":1}')]},
    ),
    "tool calls that grow by turns": (
        [call(0, "c1", "f", "1"), call(1, "c2", "g", "a"), call(0, arguments="2"), call(1, arguments="b")],
        {"role": "assistant", "content": None, "tool_calls": [made("c1", "f", "12"), made("c2", "g", "ab")]},
    ),
    "two fragments of one call in one chunk": (
        [
            call(0, "c1", "f", "1"),
            {"tool_calls": call(0, arguments="2")["tool_calls"] + call(0, arguments="3")["tool_calls"]},
        ],
        {"role": "assistant", "content": None, "tool_calls": [made("c1", "f", "123")]},
    ),
    "a name that comes late": (
        [call(0, "c1", arguments=""), call(0, name="f"), call(0, arguments="{}")],
        {"role": "assistant", "content": None, "tool_calls": [made("c1", "f", "{}")]},
    ),
    "a name in pieces": (
        [call(0, "c1", "get_"), call(0, name="weather", arguments="{}")],
        {"role": "assistant", "content": None, "tool_calls": [made("c1", "get_weather", "{}")]},
    ),
    "a name repeated in each fragment": (
        [call(0, "c1", "f", "1"), call(0, "c1", "f", "2")],
        {"role": "assistant", "content": None, "tool_calls": [made("c1", "f", "12")]},
    ),
    "calls without an index, told apart by their ids": (
        [
            call(None, "c1", "f", "1"),
            call(None, arguments="2"),
            call(None, "c2", "g", "3"),
            call(None, "c1", arguments="4"),
        ],
        {"role": "assistant", "content": None, "tool_calls": [made("c1", "f", "124"), made("c2", "g", "3")]},
    ),
    "a call with a negative index": (
        [call(-1, "c1", "f", "1"), call(-1, arguments="2")],
        {"role": "assistant", "content": None, "tool_calls": [made("c1", "f", "12")]},
    ),
    "the old function call": (
        [{"function_call": {"name": "f", "arguments": "1"}}, {"function_call": {"arguments": "2"}}],
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "12"}},
    ),
    "audio": (
        [{"audio": {"id": "a", "data": "QU"}}, {"audio": {"data": "JD", "expires_at": 5}}],
        {"role": "assistant", "content": None, "audio": {"id": "a", "data": "QUJD", "expires_at": 5}},
    ),
    "lists of a kind nobody knows are joined": (
        [{"annotations": [{"a": 1}]}, {"annotations": [{"b": 2}]}],
        {"role": "assistant", "content": None, "annotations": [{"a": 1}, {"b": 2}]},
    ),
}


@pytest.mark.parametrize(("deltas", "message"), MESSAGES.values(), ids=MESSAGES)
def test_messages(deltas: list[dict[str, Any]], message: dict[str, Any]) -> None:
    answer = read(*(chunk(delta) for delta in deltas), chunk({}, "stop"))
    assert answer.warnings == []
    assert answer.message["choices"][0]["message"] == message


def test_a_whole_completion() -> None:
    answer = read(
        chunk({"role": "assistant", "content": "a"}, service_tier="default", obfuscation="xyz", usage=None),
        chunk({}, "length", system_fingerprint="fp"),
        chunk(usage=USAGE) | {"choices": []},
    )
    assert answer.message == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 5,
        "model": "gpt-x",
        "service_tier": "default",
        "system_fingerprint": "fp",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "a"},
                "logprobs": None,
                "finish_reason": "length",
            }
        ],
        "usage": USAGE,
    }
    assert (answer.model, answer.stop_reason, answer.usage) == ("gpt-x", "length", USAGE)
    assert (answer.complete, answer.is_stream, answer.warnings) == (True, True, [])


def test_the_usage_chunk_with_empty_choices_is_read() -> None:
    assert read(chunk({"content": "a"}, "stop"), chunk(usage=USAGE) | {"choices": []}).usage == USAGE


def test_the_usage_chunk_without_choices_is_read() -> None:
    assert read(chunk({"content": "a"}, "stop"), {"usage": USAGE}).usage == USAGE


def test_usage_on_every_chunk_is_cumulative() -> None:
    early = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}
    assert read(chunk({"content": "a"}, usage=early), chunk({}, "stop", usage=USAGE)).usage == USAGE


def test_without_a_usage_chunk_usage_is_unknown() -> None:
    assert read(chunk({"content": "a"}, "stop", usage=None)).usage is None


def test_content_and_finish_reason_in_one_chunk() -> None:
    answer = read(chunk({"role": "assistant", "content": "a"}, "stop"))
    assert answer.stop_reason == "stop"
    assert answer.message["choices"][0]["message"]["content"] == "a"


def test_a_whole_message_in_place_of_a_delta() -> None:
    whole = {"role": "assistant", "content": "a", "reasoning_content": "r", "tool_calls": [made("c", "f", "{}")]}
    payload = chunk(None, "tool_calls")
    payload["choices"][0]["message"] = whole
    assert read(payload).message["choices"][0]["message"] == whole


def test_several_choices_grow_apart() -> None:
    answer = read(
        chunk({"content": "a"}, index=1),
        chunk({"content": "b"}, index=0),
        chunk({"content": "c"}, "stop", index=1),
        chunk({}, "length", index=0),
    )
    assert [choice["message"]["content"] for choice in answer.message["choices"]] == ["b", "ac"]
    assert [choice["finish_reason"] for choice in answer.message["choices"]] == ["length", "stop"]


def test_log_probabilities_are_joined() -> None:
    first, second = chunk({"content": "a"}), chunk({"content": "b"})
    first["choices"][0]["logprobs"] = {"content": [{"token": "a"}], "refusal": None}
    second["choices"][0]["logprobs"] = {"content": [{"token": "b"}], "refusal": None}
    choice = read(first, second).message["choices"][0]
    assert choice["logprobs"] == {"content": [{"token": "a"}, {"token": "b"}], "refusal": None}


def test_an_index_used_again_for_another_call_begins_another_call() -> None:
    answer = read(chunk(call(0, "c1", "f", "{}")), chunk(call(0, "c2", "g", "{}")), chunk({}, "tool_calls"))
    calls = answer.message["choices"][0]["message"]["tool_calls"]
    assert calls == [made("c1", "f", "{}"), made("c2", "g", "{}")]
    assert answer.warnings == ["event 2 uses the index of a tool call again for another one"]


def test_without_the_end_mark_the_stream_is_not_complete() -> None:
    answer = read(chunk({"content": "a"}, "stop"), done=False)
    assert (answer.complete, answer.stop_reason) == (False, "stop")


def test_an_error_chunk_keeps_what_was_there() -> None:
    error = {"error": {"message": "boom", "type": "server_error", "code": None}}
    answer = read(chunk({"content": "a"}), error, done=False)
    assert (answer.error_type, answer.error_message, answer.complete) == ("server_error", "boom", False)
    assert answer.message["choices"][0]["message"]["content"] == "a"


def test_an_error_chunk_alone_is_no_message() -> None:
    answer = read({"error": {"message": "boom", "code": "overloaded"}}, done=False)
    assert (answer.message, answer.error_type, answer.error_message) == (None, "overloaded", "boom")


def test_a_bare_sentence_is_an_error_too() -> None:
    assert read({"error": "boom"}, done=False).error_message == "boom"


def test_a_stream_gives_what_the_whole_answer_gives() -> None:
    whole = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 5,
        "model": "gpt-x",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None, "tool_calls": [made("c1", "f", '{"a":1}')]},
                "logprobs": None,
                "finish_reason": "tool_calls",
            }
        ],
        "usage": USAGE,
    }
    streamed = read(
        chunk({"role": "assistant", "content": None} | call(0, "c1", "f", "")),
        chunk(call(0, arguments='{"a":1}')),
        chunk({}, "tool_calls"),
        chunk(usage=USAGE) | {"choices": []},
    )
    direct = read_json(Dialect.CHAT, whole)
    assert streamed.message == direct.message == whole
    assert (streamed.stop_reason, streamed.usage, streamed.model) == (direct.stop_reason, direct.usage, direct.model)
    assert (streamed.complete, direct.complete) == (True, None)
