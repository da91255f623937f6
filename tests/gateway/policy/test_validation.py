"""Bounds on requests: off by default; each has a code of its own in front of its message."""

from __future__ import annotations

import json

import pytest

from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect
from gateway.policy.snapshot import ValidationBounds
from gateway.policy.validation import find_invalid

BOUNDS = ValidationBounds(
    max_messages=3, max_content_bytes=400, max_system_bytes=60, max_output_tokens=100, max_top_logprobs=20
)
PATHS = {
    Dialect.ANTHROPIC: "/v1/messages",
    Dialect.CHAT: "/v1/chat/completions",
    Dialect.RESPONSES: "/v1/responses",
}
HI = {"role": "user", "content": "hi"}
WRONG = {
    "empty_messages": (Dialect.ANTHROPIC, {"messages": []}, ErrorKind.INVALID_REQUEST),
    "no_messages": (Dialect.CHAT, {"model": "m"}, ErrorKind.INVALID_REQUEST),
    "too_many_messages": (Dialect.RESPONSES, {"input": [HI] * 4}, ErrorKind.INVALID_REQUEST),
    "content_too_large": (Dialect.CHAT, {"messages": [HI | {"content": "x" * 400}]}, ErrorKind.TOO_LARGE),
    "system_prompt_too_large": (Dialect.ANTHROPIC, {"messages": [HI], "system": "x" * 60}, ErrorKind.TOO_LARGE),
    "instructions_too_large": (Dialect.RESPONSES, {"input": "hi", "instructions": "x" * 60}, ErrorKind.TOO_LARGE),
    "invalid_max_tokens": (Dialect.ANTHROPIC, {"messages": [HI], "max_tokens": 101}, ErrorKind.INVALID_REQUEST),
    "invalid_top_logprobs": (Dialect.CHAT, {"messages": [HI], "top_logprobs": 21}, ErrorKind.INVALID_REQUEST),
    "background_not_supported": (Dialect.RESPONSES, {"input": "hi", "background": True}, ErrorKind.INVALID_REQUEST),
    "prompt_reference_not_supported": (Dialect.RESPONSES, {"prompt": {"id": "p"}}, ErrorKind.INVALID_REQUEST),
}
RIGHT = {
    "at the bounds": (Dialect.ANTHROPIC, {"messages": [HI] * 3, "max_tokens": 100, "system": "x" * 58}),
    "a bare input": (Dialect.RESPONSES, {"input": "hi", "background": False, "prompt": None}),
    "messages of another type": (Dialect.CHAT, {"messages": "for the provider to say"}),
}


@pytest.mark.parametrize("code", WRONG)
def test_what_breaks_a_bound_is_named(code: str) -> None:
    dialect, body, kind = WRONG[code]
    invalid = find_invalid(dialect, PATHS[dialect], json.dumps(body).encode(), BOUNDS)
    assert invalid is not None
    assert (invalid.code, invalid.kind) == (code, kind)


@pytest.mark.parametrize(("dialect", "body"), RIGHT.values(), ids=RIGHT)
def test_what_keeps_them_passes(dialect: Dialect, body: dict[str, object]) -> None:
    assert find_invalid(dialect, PATHS[dialect], json.dumps(body).encode(), BOUNDS) is None


@pytest.mark.parametrize("value", [0, -1, 1.5, "9", True])
def test_a_number_that_is_none_is_out_of_bounds(value: object) -> None:
    body = json.dumps({"messages": [HI], "max_tokens": value}).encode()
    invalid = find_invalid(Dialect.ANTHROPIC, "/v1/messages", body, BOUNDS)
    assert invalid is not None
    assert invalid.code == "invalid_max_tokens"


def test_what_is_no_conversation_or_no_json_is_not_judged() -> None:
    assert find_invalid(Dialect.OPENAI, "/v1/embeddings", b'{"messages":[]}', BOUNDS) is None
    assert find_invalid(Dialect.CHAT, "/v1/chat/completions", b"{", BOUNDS) is None
