"""Calls of tools and their results, in every dialect's words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.tool_calls import ToolCall, ToolResult, tool_calls, tool_results

ANTHROPIC_CALL = {
    "role": "assistant",
    "content": [
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/src/a.py"}},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
    ],
}
CHAT_CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "read", "arguments": '{"path": "a.py"}'}}],
}
ITEMS = [
    {"type": "reasoning", "id": "r1", "summary": []},
    {"type": "function_call", "id": "fc_1", "call_id": "k1", "name": "exec_command", "arguments": '{"cmd": "ls"}'},
    {"type": "custom_tool_call", "call_id": "k2", "name": "apply_patch", "input": "*** Begin Patch"},
    {"type": "local_shell_call", "id": "l1", "action": {"command": ["ls"]}},
]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            ANTHROPIC_CALL,
            [ToolCall("t1", "Read", {"file_path": "/src/a.py"}), ToolCall("s1", "web_search", {"query": "x"})],
        ),
        (CHAT_CALL, [ToolCall("c1", "read", {"path": "a.py"})]),
        (
            ITEMS,
            [
                ToolCall("k1", "exec_command", {"cmd": "ls"}),
                ToolCall("k2", "apply_patch", "*** Begin Patch"),
                ToolCall("l1", "local_shell_call", {"command": ["ls"]}),
            ],
        ),
        ({"role": "user", "content": "tool_use"}, []),
    ],
)
def test_calls_are_found_in_every_dialect(message: Any, expected: list[ToolCall]) -> None:
    assert list(tool_calls(message)) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "four"},
                    {"type": "tool_result", "tool_use_id": "t2", "content": [], "is_error": True},
                ],
            },
            [ToolResult("t1", 4, False), ToolResult("t2", 2, True)],
        ),
        ({"role": "tool", "tool_call_id": "c1", "content": "four"}, [ToolResult("c1", 4, None)]),
        ({"type": "function_call_output", "call_id": "k1", "output": "no code"}, [ToolResult("k1", 7, None)]),
        (
            {"type": "function_call_output", "call_id": "k1", "output": "Process exited with code 2\nbad"},
            [ToolResult("k1", 30, True)],
        ),
        (
            {"type": "custom_tool_call_output", "call_id": "k2", "output": '{"metadata":{"exit_code":0}}'},
            [ToolResult("k2", 28, False)],
        ),
    ],
)
def test_results_say_how_they_ended_where_they_say_it(message: Any, expected: list[ToolResult]) -> None:
    assert list(tool_results(message)) == expected


def test_a_call_names_its_file_and_whether_it_reads_it() -> None:
    read, search = tool_calls(ANTHROPIC_CALL)
    assert (read.file, read.reads) == ("/src/a.py", True)
    assert (search.file, search.reads) == (None, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["tool_use", "function_call"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "tool_calls", "function", "id", "name", "input", "output"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_message_is_too_odd(message: Any) -> None:
    list(tool_calls(message))
    list(tool_results(message))
