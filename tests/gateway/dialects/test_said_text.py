"""Which words of a request are new."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.said_text import newest_text

OLD = {"role": "user", "content": "old"}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "of the tool"}]}
CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Read", "input": {"p": "old call"}}]}


@pytest.mark.parametrize(
    ("body", "newest"),
    [
        ({"messages": [{"role": "user", "content": "only"}], "system": "not looked at"}, "only"),
        ({"messages": [OLD, CALL, {"role": "user", "content": [RESULT]}]}, "of the tool"),
        (
            {
                "messages": [
                    {"role": "user", "content": "old"},
                    {"role": "assistant", "content": "said"},
                    {"role": "tool", "tool_call_id": "a", "content": "one"},
                    {"role": "tool", "tool_call_id": "b", "content": "two"},
                ]
            },
            "one\ntwo",
        ),
        ({"messages": [{"role": "user", "content": "asked"}, {"role": "assistant", "content": "{"}]}, "asked\n{"),
        ({"input": "a string"}, "a string"),
        ({"input": [OLD, {"type": "reasoning"}, {"type": "function_call_output", "output": "y"}]}, "y"),
        ({"prompt": "completion"}, "completion"),
        ({"model": "m"}, ""),
        ([], ""),
    ],
)  # fmt: skip
def test_the_newest_is_what_came_after_the_last_answer(body: Any, newest: str) -> None:
    assert newest_text(json.dumps(body, indent=1).encode(), 1000) == newest


@pytest.mark.parametrize("body", [b"", b"{", b'{"messages": 5}', b'{"messages": [', b"\xff\xfe", b'{"messages": "[x"}'])
def test_an_odd_body_says_nothing_and_raises_nothing(body: bytes) -> None:
    assert newest_text(body, 1000) in ("", "[x")


def test_no_more_than_so_much() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "x" * 5000}]}).encode()
    assert newest_text(body, 1000) == "x" * 1000
