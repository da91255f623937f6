"""What a header rule may say: names, values, patterns, what frames a message, what carries a credential."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.policy.header_rule_checks import FRAMING, check_rule, warnings_about

GOOD: dict[str, Any] = {
    "direction": "request", "header": "x-team", "action": "set", "value": "search", "find": "", "is_pattern": False,
    "danger": False,
}  # fmt: skip
REPLACE = {"action": "replace", "find": "a", "value": "b"}

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "CR and LF in a value": ({"value": "a\r\nx-evil: 1"}, "value", "line breaks"),
    "CR in a value": ({"value": "a\rb"}, "value", "line breaks"),
    "LF in a value": ({"value": "a\nb"}, "value", "line breaks"),
    "a folded value": ({"value": "a\n b"}, "value", "line breaks"),
    "NUL in a value": ({"value": "a\0b"}, "value", "NUL"),
    "a tab in a value": ({"value": "a\tb"}, "value", "printable ASCII"),
    "an umlaut in a value": ({"value": "Jürgen"}, "value", "printable ASCII"),
    "a blank at the end": ({"value": "a "}, "value", "without blanks"),
    "a long value": ({"value": "ab" * 2049}, "value", "at most"),
    "CR and LF in a name": ({"header": "x-a\r\nx-b"}, "header", "letters, digits"),
    "a blank in a name": ({"header": "x a"}, "header", "letters, digits"),
    "a colon in a name": ({"header": "x-a:"}, "header", "letters, digits"),
    "an underscore in a name": ({"header": "x_team"}, "header", "underscores"),
    "an umlaut in a name": ({"header": "x-tëam"}, "header", "letters, digits"),
    "no name": ({"header": ""}, "header", "letters, digits"),
    "CR and LF to look for": (REPLACE | {"find": "a\r\n"}, "find", "line breaks"),
    "set to nothing": ({"value": ""}, "value", "needs a value"),
    "block with a value": ({"action": "block"}, "value", "takes no value"),
    "replace nothing": (REPLACE | {"find": ""}, "find", "what to look for"),
    "set that looks for something": ({"find": "a"}, "find", "Only a replacement"),
    "a pattern that is not one": (REPLACE | {"find": "(a", "is_pattern": True}, "find", "RE2 does not take it"),
    "looking ahead": (REPLACE | {"find": "(?=a)b", "is_pattern": True}, "find", "no looking around"),
    "a back-reference": (REPLACE | {"find": r"(a)\1", "is_pattern": True}, "find", "back-references"),
    "a pattern that finds nothing": (REPLACE | {"find": "a*", "is_pattern": True}, "find", "everywhere"),
    "a group that is not there": (REPLACE | {"value": r"\2", "find": "(a)", "is_pattern": True}, "value", "1 groups"),
    "a backslash before a letter": (REPLACE | {"value": r"\n", "is_pattern": True}, "value", "number of a group"),
    "a backslash at the end": (REPLACE | {"value": "b\\", "is_pattern": True}, "value", "number of a group"),
    "a pattern for a set": ({"is_pattern": True}, "is_pattern", "Only a replacement"),
    "a key in a rule": ({"header": "x-other", "value": "sk-ant-api03-abcdefghijkl"}, "value", "looks like a key"),
    "the credential": ({"action": "block", "value": "", "header": "Authorization"}, "header", "tick 'danger'"),
    "the other credential": ({"header": "X-Api-Key"}, "header", "tick 'danger'"),
    "our own": ({"header": "x-turnlog-key"}, "header", "Turnlog's own"),
}


@pytest.mark.parametrize(("changes", "field", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused_at_its_field(changes: dict[str, Any], field: str, words: str) -> None:
    problems = check_rule(**(GOOD | changes))
    assert words in problems.get(field, ""), problems


@pytest.mark.parametrize("name", sorted(FRAMING))
@pytest.mark.parametrize("direction", ["request", "response"])
@pytest.mark.parametrize("danger", [False, True])
def test_what_frames_a_message_is_out_of_reach(name: str, direction: str, danger: bool) -> None:
    for header in (name, name.title()):
        assert "frames" in check_rule(**(GOOD | {"header": header, "direction": direction, "danger": danger}))["header"]


FINE: dict[str, dict[str, Any]] = {
    "set": {},
    "block": {"action": "block", "value": ""},
    "replace": REPLACE,
    "a literal that looks like a pattern": REPLACE | {"find": "(a", "value": "\\n"},
    "a pattern with groups": REPLACE | {"find": "(a)(b)", "value": r"\2\1\\", "is_pattern": True},
    "the credential, meant": {"action": "block", "value": "", "header": "authorization", "danger": True},
    "a credential on the way back": {"action": "block", "value": "", "header": "set-cookie", "direction": "response"},
    "anthropic-beta": {"action": "replace", "find": "a", "value": "", "header": "anthropic-beta"},
}


@pytest.mark.parametrize("changes", FINE.values(), ids=FINE)
def test_what_can_be_is_taken(changes: dict[str, Any]) -> None:
    assert check_rule(**(GOOD | changes)) == {}


WARNED = {
    "anthropic-beta": "400", "anthropic-version": "every request", "anthropic-anything": "contract",
    "anthropic-ratelimit-requests-limit": "standing", "cookie": "credential", "x-session-token": "credential",
    "content-type": "body", "Retry-After": "retry",
}  # fmt: skip


@pytest.mark.parametrize(("header", "words"), WARNED.items())
def test_warnings_say_what_may_break(header: str, words: str) -> None:
    assert words in " ".join(warnings_about(direction="response", header=header, action="block", value=""))


def test_a_header_of_ones_own_needs_no_warning() -> None:
    assert warnings_about(direction="request", header="x-team", action="set", value="search") == []
