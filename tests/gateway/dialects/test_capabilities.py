"""Names of what a request uses; nothing of what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.capabilities import Used, blocks_in, used_by
from gateway.dialects.names import Dialect

CASES: dict[str, tuple[Dialect, dict[str, Any], set[str], set[str], set[str]]] = {
    "Claude Code": (
        Dialect.ANTHROPIC,
        {
            "model": "claude-opus-5-5",
            "thinking": {"type": "adaptive"},
            "metadata": {"user_id": "secret"},
            "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
            "fallbacks": [{"type": "model"}],
            "tools": [{"name": "a"}, {"type": "web_search_20260209", "name": "web_search"}],
            "messages": [
                {"role": "user", "content": "plain"},
                {"role": "assistant", "content": [{"type": "thinking"}, {"type": "tool_use"}]},
                {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "image"}]}]},
            ],
        },
        {
            "model", "thinking", "thinking.type", "metadata", "context_management", "context_management.edits",
            "fallbacks", "fallbacks[model]", "tools", "messages",
        },
        {"custom", "web_search_20260209"},
        {"thinking", "tool_use", "tool_result", "image"},
    ),
    "Codex": (
        Dialect.RESPONSES,
        {
            "input": [{"type": "message", "content": [{"type": "input_text"}]}, {"type": "custom_tool_call_output"}],
            "tools": [{"type": "custom", "name": "apply_patch"}, {"name": "old"}],
            "reasoning": {"effort": "high"},
        },
        {"input", "tools", "reasoning", "reasoning.effort"},
        {"custom", "function"},
        {"message", "input_text", "custom_tool_call_output"},
    ),
    "a chat": (
        Dialect.CHAT,
        {
            "messages": [
                {"role": "user", "content": [{"type": "image_url"}]},
                {"role": "assistant", "tool_calls": [{"type": "custom"}, {}]},
            ],
            "functions": [{"name": "f"}],
        },
        {"messages", "functions"},
        {"functions"},
        {"image_url", "tool_calls.custom", "tool_calls.function"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "body", "fields", "tools", "blocks"), CASES.values(), ids=CASES)
def test_used(dialect: Dialect, body: dict[str, Any], fields: set[str], tools: set[str], blocks: set[str]) -> None:
    assert used_by(dialect, json.dumps(body).encode()) == Used(frozenset(fields), frozenset(tools), frozenset(blocks))


def test_names_are_bounded_in_number_and_length() -> None:
    body = json.dumps({f"k{n}": 1 for n in range(1_000)} | {"x" * 500: 1}).encode()
    used = used_by(Dialect.ANTHROPIC, body)
    assert len(used.fields) == 200
    assert all(len(name) <= 100 for name in used.fields)


@given(st.binary(), st.sampled_from(Dialect))
def test_whatever_the_body_is_it_only_lacks_names(body: bytes, dialect: Dialect) -> None:
    used_by(dialect, body)
    blocks_in(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["content", "type", "tools", "messages"]), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["messages", "tools", "functions", "thinking", "input"]), JSON))
def test_odd_shapes_are_passed_over(body: dict[str, Any]) -> None:
    for dialect in Dialect:
        used_by(dialect, json.dumps(body).encode())
