"""The digest of a question: never the same for two that differ in anything that counts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.access import Admitted, Presented
from gateway.policy.caching import CacheQuestion, caller_of, counted_parts, digest, joined
from gateway.policy.caching_rules import CacheRule, Caching, Clearing
from gateway.policy.snapshot import Caller

RULE = CacheRule(name="rule")
LOOSE = CacheRule(name="rule", ignored=frozenset({b"metadata"}), varied=(b"x-suite",))
SMALL = st.binary(max_size=4)
HEADERS = st.lists(
    st.tuples(st.sampled_from([b"accept", b"anthropic-beta", b"x-suite", b"x-other"]), SMALL), max_size=3
)
BODIES = st.dictionaries(
    st.sampled_from(["model", "messages", "metadata", "a"]),
    st.one_of(st.integers(0, 3), st.text(max_size=3)),
    min_size=1,
)
QUESTIONS = st.builds(
    CacheQuestion,
    caller=SMALL,
    dialect=st.sampled_from(["anthropic", "chat"]),
    method=st.just("POST"),
    target=st.sampled_from([b"/v1/messages", b"/v1/messages?beta=true"]),
    headers=HEADERS,
    body=BODIES.map(lambda value: json.dumps(value).encode()),
    way=st.lists(st.text(max_size=2), max_size=2).map(tuple),
)


def essence(question: CacheQuestion, rule: CacheRule) -> tuple[object, ...]:
    """What must be equal for an answer to be given again."""
    counted = {b"accept", b"anthropic-beta", *rule.varied}
    headers = tuple(pair for pair in question.headers if pair[0] in counted)
    body: object = question.body
    if rule.ignored:
        value = json.loads(question.body)
        body = tuple(sorted((key, json.dumps(item)) for key, item in value.items() if key.encode() not in rule.ignored))
    return question.caller, question.dialect, question.target, headers, body, question.way


@given(QUESTIONS, QUESTIONS, st.sampled_from([RULE, LOOSE]))
def test_two_questions_have_one_digest_only_when_nothing_that_counts_differs(
    one: CacheQuestion, other: CacheQuestion, rule: CacheRule
) -> None:
    assert (digest(one, rule) == digest(other, rule)) == (essence(one, rule) == essence(other, rule))


@given(QUESTIONS, SMALL, SMALL, st.sampled_from([RULE, LOOSE]))
def test_never_across_callers(question: CacheQuestion, one: bytes, other: bytes, rule: CacheRule) -> None:
    found = {digest(replace(question, caller=caller), rule) for caller in (one, other)}
    assert len(found) == len({one, other})


@given(st.lists(SMALL, max_size=4), st.lists(SMALL, max_size=4))
def test_lists_are_joined_so_that_no_two_look_alike(one: list[bytes], other: list[bytes]) -> None:
    assert (joined(one) == joined(other)) == (one == other)


@pytest.mark.parametrize(
    "body", [b'{"a": 1, "a": 2}', b'{"a": 1', b'{"a": 1} x', b"[]", b"", b'{"\\u0061": 1}', b'{"a": 1}{"b": 2}']
)
def test_what_is_ignored_of_a_body_that_is_not_plain_is_not_guessed(body: bytes) -> None:
    assert counted_parts(body, frozenset({b"metadata"})) is None


def test_the_order_of_members_and_what_is_ignored_make_no_difference() -> None:
    one = counted_parts(b'{"a": 1, "metadata": {"x": 1}, "b": [1, 2]}', frozenset({b"metadata"}))
    assert one == counted_parts(b'{"b":[1, 2], "a":1}', frozenset({b"metadata"})) == [b"a", b"1", b"b", b"[1, 2]"]


@pytest.mark.parametrize("member", ["previous_response_id", "conversation", "background", "container"])
def test_bodies_that_refer_to_elsewhere_are_not_kept(member: str) -> None:
    body = json.dumps({"model": "x", member: "y"}).encode()
    assert digest(CacheQuestion(b"me", "responses", "POST", b"/v1/responses", (), body), RULE) is None


def test_who_cannot_be_told_apart_gets_nothing_kept() -> None:
    nobody = Presented()
    own = Presented(own=(b"sk-ant-one",))
    assert caller_of(Admitted(None, own_passes=True), nobody) is None
    assert caller_of(None, own) is None
    ada, grace = Caller("ada"), Caller("grace")
    found = {
        caller_of(Admitted(ada, own_passes=False), own),
        caller_of(Admitted(grace, own_passes=False), own),
        caller_of(Admitted(ada, own_passes=True), own),
        caller_of(Admitted(ada, own_passes=True), Presented(own=(b"sk-ant-two",))),
        caller_of(Admitted(None, own_passes=True), own),
    }
    assert len(found) == 5


def test_clearings_take_what_all_their_patterns_fit_and_was_made_before() -> None:
    caching = Caching(clearings=(Clearing(10.0, model="claude-*", key="ci"),))
    assert caching.is_cleared(9.0, "claude-x", "ci", "")
    assert not caching.is_cleared(11.0, "claude-x", "ci", "")
    assert not caching.is_cleared(9.0, "gpt-5.5", "ci", "")
    assert not caching.is_cleared(9.0, "claude-x", "ada", "")
    assert Caching(clearings=(Clearing(10.0),)).is_cleared(9.0, "gpt-5.5", "ada", "search")


def test_the_first_rule_about_a_request_counts() -> None:
    rules = (CacheRule(name="one", models=("claude-*",), teams=("search",)), CacheRule(name="two", keys=("ci-*",)))
    caching = Caching(rules=rules)
    assert [
        rule and rule.name
        for rule in (
            caching.rule("claude-x", "ada", "search"),
            caching.rule("claude-x", "ci-1", ""),
            caching.rule("gpt", "ada", ""),
        )
    ] == ["one", "two", None]
