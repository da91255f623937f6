"""The few facts read out of request bodies, and the one change made to them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.names import Dialect
from gateway.dialects.request_facts import (
    Envelope,
    RequestFacts,
    facts_of,
    find_model_ranges,
    read_envelope,
    read_members,
    replace_model,
)
from tests.transcripts.captured import exchange, exchanges

DEEP = b"[" * 200_000 + b"]" * 200_000

ENVELOPES = {
    "all three": (b'{"model":"m","stream":true,"max_tokens":5}', Envelope("m", True, 5)),
    "stream false is not absent": (b'{"stream":false}', Envelope(None, False, None)),
    "zero tokens are not absent": (b'{"max_tokens":0}', Envelope(None, None, 0)),
    "the chat spelling of the limit": (b'{"max_completion_tokens":6}', Envelope(None, None, 6)),
    "the responses spelling of the limit": (b'{"max_output_tokens":7}', Envelope(None, None, 7)),
    "of a key said twice the last counts": (b'{"model":"a","model":"b"}', Envelope("b", None, None)),
    "a key with escapes": (b'{"mo\\u0064el":"a"}', Envelope("a", None, None)),
    "wrong types hide no others": (b'{"model":5,"stream":1,"max_tokens":"9"}', Envelope()),
    "a wrong model hides no limit": (b'{"model":{},"max_tokens":5}', Envelope(None, None, 5)),
    "a limit that is no whole number": (b'{"max_tokens":1.5}', Envelope()),
    "a limit of 5000 digits": (b'{"max_tokens":' + b"9" * 5000 + b',"model":"m"}', Envelope("m", None, None)),
    "true is no number": (b'{"max_tokens":true}', Envelope()),
    "nulls": (b'{"model":null,"stream":null,"max_tokens":null}', Envelope()),
    "half a surrogate pair in a message": (b'{"messages":["a\\ud83d"],"model":"m"}', Envelope("m", None, None)),
    "half a surrogate pair in the model": (b'{"model":"\\ud800","stream":true}', Envelope(None, True, None)),
    "NaN beside the model": (b'{"x":NaN,"model":"m"}', Envelope("m", None, None)),
    "nesting beyond measure beside it": (b'{"x":' + DEEP + b',"model":"m"}', Envelope("m", None, None)),
    "invalid UTF-8 in a message": (b'{"x":"\xff","model":"m"}', Envelope("m", None, None)),
    "invalid UTF-8 in the model": (b'{"model":"\xff","stream":true}', Envelope(None, True, None)),
    "a NUL in the model is made storable": (b'{"model":"a\\u0000"}', Envelope("a\ufffd", None, None)),
    "the response it goes on from": (b'{"model":"m","previous_response_id":"r"}', Envelope("m", previous_response="r")),
    "a response of another type": (b'{"model":"m","previous_response_id":{}}', Envelope("m")),
    "nothing": (b"", Envelope()),
    "no JSON": (b"model=m&stream=true", Envelope()),
    "JSON that is cut off": (b'{"model":"m","messages":[', Envelope()),
    "JSON with something after it": (b'{"model":"m"} x', Envelope()),
    "a list": (b'[{"model":"m"}]', Envelope()),
    "nesting beyond measure": (DEEP, Envelope()),
    "brackets without end": (b"[" * 200_000, Envelope()),
}

THINKING = {
    "thinking": (b'{"thinking":{"type":"adaptive"}}', True),
    "thinking that is disabled": (b'{"thinking":{"type":"disabled"}}', False),
    "thinking that is null": (b'{"thinking":null,"reasoning":null}', False),
    "nothing said of it": (b'{"model":"m"}', False),
    "reasoning, as OpenAI says it": (b'{"reasoning":{"effort":"low"}}', True),
    "reasoning in a body that must be scanned": (b'{"x":NaN,"reasoning_effort":"low"}', True),
    "one disabled, the other asked for": (b'{"thinking":{"type":"disabled"},"reasoning_effort":"low"}', True),
}


def read_facts(dialect: Dialect, body: bytes) -> RequestFacts:
    return facts_of(dialect, read_members(body))


@pytest.mark.parametrize(("body", "expected"), ENVELOPES.values(), ids=ENVELOPES)
def test_the_envelope(body: bytes, expected: Envelope) -> None:
    assert read_envelope(body) == expected


@pytest.mark.parametrize(("body", "expected"), THINKING.values(), ids=THINKING)
def test_whether_thinking_is_asked_for(body: bytes, expected: bool) -> None:
    assert read_envelope(body).has_thinking is expected


def test_what_is_kept_of_a_body_is_small() -> None:
    kept = read_envelope(b'{"thinking":"' + b"x" * 1_000_000 + b'"}').thinking
    assert [len(said) for said in kept] == [256]


@given(st.binary(max_size=80))
def test_arbitrary_bytes_never_raise(body: bytes) -> None:
    for text in (body, b'{"model":' + body, b'{"model":"m","x":' + body + b"}"):
        read_envelope(text)
        find_model_ranges(text)
        for dialect in Dialect:
            read_facts(dialect, text)


RANGES = {
    "a plain body": (b'{"model":"m","x":1}', [b'"m"']),
    "white space everywhere": (b' \n{ "x" : 1 ,\t"model" : "m" }\r\n', [b'"m"']),
    "a key said twice": (b'{"model":"a","x":[],"model":"b"}', [b'"a"', b'"b"']),
    "a key with escapes": (b'{"\\u006dodel":"m"}', [b'"m"']),
    "keys inside other values are not meant": (b'{"x":{"model":"a"},"y":[{"model":"b"}],"model":"c"}', [b'"c"']),
    "a key inside a string is not meant": (b'{"x":"\\"model\\":\\"a\\"","model":"c"}', [b'"c"']),
    "brackets inside strings": (b'{"x":["]}{[","\\"}"],"model":"c"}', [b'"c"']),
    "a string that ends in a backslash": (b'{"x":"a\\\\","model":"c"}', [b'"c"']),
    "a value that is an object": (b'{"model":{"a":[1]},"x":2}', [b'{"a":[1]}']),
    "a value that is null": (b'{"model":null}', [b"null"]),
    "a value that is a string with escapes": (b'{"model":"a\\"b"}', [b'"a\\"b"']),
    "keys that only look like it": (b'{"Model":1,"models":2,"mode":3,"odel":4}', []),
    "nested values that close together": (b'{"x":[[{"y":[]}]],"model":"m"}', [b'"m"']),
    "the last value closes with its object": (b'{"model":[[]]}', [b"[[]]"]),
    "no object": (b'["model","m"]', []),
    "a body that breaks off later": (b'{"model":"m","x":"', [b'"m"']),
    "a body that breaks off before": (b'{"x":["model","m"', []),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("body", "expected"), RANGES.values(), ids=RANGES)
def test_the_ranges_of_the_model(body: bytes, expected: list[bytes]) -> None:
    assert [body[start:end] for start, end in find_model_ranges(body)] == expected


texts = st.one_of(st.text(max_size=6), st.sampled_from(["model", "{", "]", '"', "\\", '\\"model"', "\u2028"]))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
members = st.lists(st.tuples(texts, values), max_size=6)
spaces = st.sampled_from(["", " ", "\n", "\t \r\n"])


def write(pairs: list[tuple[str, Any]], ascii_only: bool, space: str) -> bytes:
    """An object with duplicate keys where `pairs` has them."""
    dumped = (
        f"{json.dumps(key, ensure_ascii=ascii_only)}{space}:{space}{json.dumps(value, ensure_ascii=ascii_only)}"
        for key, value in pairs
    )
    joined = f"{space},{space}".join(dumped)
    return f"{space}{{{space}{joined}{space}}}{space}".encode()


@given(members, st.booleans(), spaces)
def test_the_ranges_agree_with_a_json_parser(pairs: list[tuple[str, Any]], ascii_only: bool, space: str) -> None:
    body = write(pairs, ascii_only, space)
    parsed = json.loads(body, object_pairs_hook=lambda found: found)
    expected = [value for key, value in parsed if key == "model"]
    found = [json.loads(body[a:b], object_pairs_hook=lambda found: found) for a, b in find_model_ranges(body)]
    assert found == expected


@given(members, st.text(min_size=1, max_size=8), spaces)
def test_replacing_changes_the_models_value_and_no_other_byte(
    pairs: list[tuple[str, Any]], model: str, space: str
) -> None:
    body = write(pairs, False, space)
    changed, patches = replace_model(body, model)
    assert json.loads(changed, object_pairs_hook=list) == [
        (key, model if key == "model" else value) for key, value in json.loads(body, object_pairs_hook=list)
    ]
    restored, shift = changed, 0
    for start, end, text in patches:
        begin = start + shift
        assert restored[begin : begin + len(text)] == text
        restored = restored[:begin] + body[start:end] + restored[begin + len(text) :]
    assert restored == body


def test_a_body_without_a_model_comes_back_as_it_is() -> None:
    body = b'{"x":1}'
    assert replace_model(body, "m") == (body, [])
    assert replace_model(body, "m")[0] is body


@pytest.mark.parametrize("exchange", exchanges(), ids=str)
def test_captured_bodies_keep_all_bytes_but_the_model(exchange: Any) -> None:
    body = exchange.request_body
    changed, [(start, end, text)] = replace_model(body, 'other "model"')
    assert text == b'"other \\"model\\""'
    assert changed == body[:start] + text + body[end:]
    assert json.loads(changed) == json.loads(body) | {"model": 'other "model"'}


def conversation(size: int) -> bytes:
    turn = json.loads(exchange("claude_bash_tool-2").request_body)
    blocks = turn["messages"] + turn["tools"]
    turn["messages"] = blocks * (size // len(json.dumps(blocks)) + 1)
    return json.dumps(turn).encode()


def best_of(runs: int, work: Any) -> float:
    """Milliseconds of CPU time, which other work on the machine does not lengthen, of the fastest run."""
    times = []
    for _ in range(runs):
        begun = time.thread_time()
        work()
        times.append(time.thread_time() - begun)
    return min(times) * 1000


def test_the_hot_path_is_fast_on_long_conversations() -> None:
    small, big = conversation(300_000), conversation(1_400_000)
    assert best_of(9, lambda: read_envelope(small)) < 2
    assert best_of(9, lambda: replace_model(big, "m")) < 60


def test_a_hostile_body_is_given_up_on_in_time() -> None:
    for body in (b'{"x":' + b"[]" * 8_000_000, b'{"x":{' + b'"a":1,' * 3_000_000, b"{" + b'"a":1,' * 3_000_000):
        begun = time.perf_counter()
        assert find_model_ranges(body) == []
        assert time.perf_counter() - begun < 5


FACTS: dict[str, tuple[Dialect, dict[str, Any], RequestFacts]] = {
    "messages and tools are counted": (
        Dialect.ANTHROPIC,
        {"model": "m", "max_tokens": 9, "stream": True, "messages": [{}, {}], "tools": [{}]},
        RequestFacts("m", True, 9, 2, 1),
    ),
    "without tools there are none; without messages the count is unknown": (
        Dialect.CHAT,
        {"model": "m"},
        RequestFacts("m", message_count=None, tool_count=0),
    ),
    "functions are tools": (
        Dialect.CHAT,
        {"messages": [], "functions": [{}], "max_completion_tokens": 3},
        RequestFacts(max_tokens=3, message_count=0, tool_count=1),
    ),
    "the input of a response is counted": (
        Dialect.RESPONSES,
        {"input": [{}, {}, {}], "messages": [{}]},
        RequestFacts(message_count=3, tool_count=0),
    ),
    "a bare string is one message": (
        Dialect.RESPONSES,
        {"input": "hello"},
        RequestFacts(message_count=1, tool_count=0),
    ),
    "the session in a user id that is JSON": (
        Dialect.ANTHROPIC,
        {"metadata": {"user_id": '{"device_id":"d","account_uuid":"","session_id":"s-1"}'}},
        RequestFacts(tool_count=0, user_id_session="s-1"),
    ),
    "the session in a user id as it was before": (
        Dialect.ANTHROPIC,
        {"metadata": {"user_id": "user_" + "0a" * 32 + "_account__session_5f0c1d7e-0000-4000-8000-000000000001"}},
        RequestFacts(tool_count=0, user_id_session="5f0c1d7e-0000-4000-8000-000000000001"),
    ),
    "a user id of another kind names no session": (
        Dialect.ANTHROPIC,
        {"metadata": {"user_id": "alice"}},
        RequestFacts(tool_count=0),
    ),
    "metadata of wrong types": (
        Dialect.ANTHROPIC,
        {"metadata": [1], "client_metadata": "x", "messages": {}, "tools": 5},
        RequestFacts(tool_count=0),
    ),
    "the ids of a subagent of Codex": (
        Dialect.RESPONSES,
        {
            "input": [],
            "client_metadata": {
                "session_id": "s",
                "thread_id": "t",
                "turn_id": "u",
                "x-codex-window-id": "t:1",
                "x-codex-parent-thread-id": "p",
                "x-openai-subagent": "review",
            },
        },
        RequestFacts(None, None, None, 0, 0, None, "s", "t", "u", "t:1", "p", "review"),
    ),
    "the main agent of Codex, whose name is no subagent's": (
        Dialect.RESPONSES,
        {"client_metadata": {"x-codex-turn-metadata": '{"session_id":"s","agent_name":"/root"}'}},
        RequestFacts(tool_count=0, session_id="s"),
    ),
    "ids only in the turn metadata": (
        Dialect.RESPONSES,
        {"client_metadata": {"x-codex-turn-metadata": '{"session_id":"s","turn_id":"u","window_id":"w"}'}},
        RequestFacts(tool_count=0, session_id="s", turn_id="u", window_id="w"),
    ),
}


@pytest.mark.parametrize(("dialect", "body", "expected"), FACTS.values(), ids=FACTS)
def test_the_facts(dialect: Dialect, body: dict[str, Any], expected: RequestFacts) -> None:
    assert read_facts(dialect, json.dumps(body).encode()) == expected


def test_a_body_that_cannot_be_read_has_no_facts() -> None:
    assert read_facts(Dialect.ANTHROPIC, b"\x1f\x8b") == RequestFacts()


def test_the_facts_of_captured_requests() -> None:
    claude = exchange("claude_subagents-1")
    codex = exchange("codex_shell_tool-1")
    session = "00000000-0000-4000-8000-00000000000"
    assert read_facts(claude.dialect, claude.request_body) == RequestFacts(
        "claude-opus-5-5", True, 128000, 2, 12, session + "2"
    )
    facts = read_facts(codex.dialect, codex.request_body)
    assert (facts.model, facts.message_count, facts.tool_count) == ("gpt-5.5", 4, 10)
    assert (facts.session_id, facts.turn_id, facts.window_id) == (session + "1", session + "3", session + "1:0")
