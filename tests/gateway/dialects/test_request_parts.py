"""A body is cut into parts, and the parts are the body."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.dialects.names import Dialect
from gateway.dialects.normal_form import normal_form
from gateway.dialects.part_marks import reduce, restore
from gateway.dialects.request_facts import read_members
from gateway.dialects.request_parts import PartKind, Split, join, split
from tests.gateway.dialects.json_texts import VALUES, bodies
from tests.transcripts.captured import Exchange, exchanges

SPLITTABLE = [Dialect.ANTHROPIC, Dialect.CHAT, Dialect.RESPONSES]


def parts(dialect: Dialect, body: bytes) -> Split:
    found = split(dialect, body, read_members(body))
    assert isinstance(found, Split), found
    return found


def joined(found: Split) -> bytes:
    return join(found.literals, [(run.parts, run.gaps) for run in found.runs])


@given(st.sampled_from(SPLITTABLE), bodies() | st.binary(max_size=60))
@settings(max_examples=300)
@example(Dialect.ANTHROPIC, b'{"messages":[{"a":1}],"messages":[{"a":1},{"b":2}]}')
@example(Dialect.ANTHROPIC, b'{"x":{"messages":[{"a":1}]},"messages":[{"a":1}]}')
@example(Dialect.ANTHROPIC, b'{"messages":[{"a":"\\ud83d"},{"b":2}],"system":"x"}')
@example(Dialect.ANTHROPIC, b'{"messages":[{"a":NaN} , {"b":2},{"c":3}]}')
def test_the_parts_of_any_body_are_the_body(dialect: Dialect, body: bytes) -> None:
    found = split(dialect, body, read_members(body))
    if isinstance(found, Split):
        assert joined(found) == body
        for run in found.runs:
            for part in run.parts:
                left, edits = reduce(run.kind, part)
                assert restore(left, edits) == part
                normal_form(dialect, run.kind, left)


@pytest.mark.parametrize("exchange", exchanges(), ids=str)
def test_a_captured_body_is_cut_at_its_messages(exchange: Exchange) -> None:
    found = parts(exchange.dialect, exchange.request_body)
    assert joined(found) == exchange.request_body
    body = json.loads(exchange.request_body)
    messages = body["input" if exchange.dialect is Dialect.RESPONSES else "messages"]
    [run] = [run for run in found.runs if run.kind is PartKind.MESSAGE]
    assert [json.loads(part) for part in run.parts] == messages
    assert run.gaps == b","


BROKEN_FOR_MSGSPEC = {
    "half a surrogate pair": b'{"role":"user","content":"\\ud83d"}',
    "bytes that are not UTF-8": b'{"role":"user","content":"\xff"}',
    "NaN": b'{"role":"user","content":NaN}',
}


@pytest.mark.parametrize("odd", BROKEN_FOR_MSGSPEC.values(), ids=BROKEN_FOR_MSGSPEC.keys())
def test_one_odd_message_does_not_keep_the_others_together(odd: bytes) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"a, ]b"},' + odd + b',{"n":3}],"system":"s","n":[{}]}'
    found = parts(Dialect.ANTHROPIC, body)
    assert [len(run.parts) for run in found.runs] == [3, 1]
    assert joined(found) == body


def test_the_skeleton_is_the_same_whatever_the_number_of_messages() -> None:
    def literals(count: int) -> Any:
        body = {"model": "m", "messages": [{"role": "user", "content": str(n)} for n in range(count)], "stream": True}
        found = parts(Dialect.ANTHROPIC, json.dumps(body, indent=2).encode())
        return found.literals, found.runs[0].gaps

    assert literals(2) == literals(9)


def test_a_hostile_body_is_given_up_soon() -> None:
    body = b'{"messages":[' + b'{"messages":[{},' * 3_000 + b"{}" + b"]}" * 3_000 + b"]}"
    split(Dialect.ANTHROPIC, body, read_members(body))


SAME = {
    "a string and one text block": (
        b'{"role":"user","content":"x"}',
        b'{"content":[{"text":"x","type":"text"}],"role":"user"}',
    ),
    "a cache mark": (
        b'{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}',
        b'{"role":"user","content":[{"type":"text","text":"x"}]}',
    ),
    "a mark in a tool's result": (
        b'{"content":[{"type":"tool_result","content":[{"type":"text","text":"x","cache_control":{}}]}]}',
        b'{"content":[{"type":"tool_result","content":"x"}]}',
    ),
    "spacing and escapes": (b'{ "role" : "\\u0075ser" }', b'{"role":"user"}'),
}  # fmt: skip
DIFFERENT = {
    "another text": (b'{"role":"user","content":"x"}', b'{"role":"user","content":"y"}'),
    "another role": (b'{"role":"user","content":"x"}', b'{"role":"system","content":"x"}'),
    "a cache mark in a tool's input is text": (
        b'{"content":[{"type":"tool_use","input":{"cache_control":1}}]}',
        b'{"content":[{"type":"tool_use","input":{}}]}',
    ),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME.keys())
def test_what_says_the_same_has_the_same_normal_form(one: bytes, other: bytes) -> None:
    forms = [normal_form(Dialect.ANTHROPIC, PartKind.MESSAGE, part) for part in (one, other)]
    assert forms[0] == forms[1]


@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_what_says_something_else_has_another(one: bytes, other: bytes) -> None:
    forms = [normal_form(Dialect.ANTHROPIC, PartKind.MESSAGE, part) for part in (one, other)]
    assert forms[0] != forms[1]


def test_the_digits_of_the_attribution_line_say_nothing_but_the_version_does() -> None:
    line = b'{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.%s.%s; cc_entrypoint=cli;"}'
    forms = [
        normal_form(Dialect.ANTHROPIC, PartKind.SYSTEM, reduce(PartKind.SYSTEM, line % pair).data)
        for pair in ((b"329", b"ffd"), (b"329", b"0a1"), (b"330", b"ffd"))
    ]
    assert forms[0] == forms[1] != forms[2]


@given(VALUES)
def test_a_normal_form_is_its_own(value: bytes) -> None:
    once = normal_form(Dialect.ANTHROPIC, PartKind.MESSAGE, value)
    assert normal_form(Dialect.ANTHROPIC, PartKind.MESSAGE, once) == once
