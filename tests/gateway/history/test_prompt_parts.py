"""What each part of a prompt is of the whole, and what stands in it more than once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.dialects.names import Dialect
from gateway.history.transcript import read_transcript
from gateway.history.transcript.blocks import Transcript

ALL = slice(None)
FILE = "line of a file\n" * 40
TOOL = {"name": "Bash", "description": "Runs a command. " * 20, "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "f", "description": "Does. " * 50, "parameters": {}}}
BODIES: dict[Dialect, dict[str, Any]] = {
    Dialect.ANTHROPIC: {
        "tools": [TOOL, {"name": "Read", "input_schema": {}}],
        "system": [{"type": "text", "text": "You are careful. " * 9}, {"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": FILE}, {"type": "text", "text": "And?"}]},
            {"role": "assistant", "content": "Well."},
        ],
    },
    Dialect.CHAT: {
        "tools": [FUNCTION],
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": FILE}],
    },
    Dialect.RESPONSES: {
        "tools": [TOOL],
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": FILE}]}],
    },
}


def read(dialect: Dialect, body: dict[str, Any], window: slice = ALL, total: int | None = 1_000) -> Transcript:
    transcript = read_transcript(dialect, json.dumps(body).encode(), None, window, "", total)
    assert transcript is not None
    return transcript


@pytest.mark.parametrize("dialect", BODIES)
def test_the_parts_of_a_prompt_add_up_to_what_was_counted(dialect: Dialect) -> None:
    found = read(dialect, BODIES[dialect])
    parts = [*found.tools, *found.system, *found.turns]
    assert sum(part.tokens or 0 for part in parts) == found.tokens == 1_000
    assert (found.tools_tokens or 0) == sum(tool.tokens or 0 for tool in found.tools)
    assert (found.system_tokens or 0) == sum(block.tokens or 0 for block in found.system)
    assert max(parts, key=lambda part: part.tokens or 0) in found.turns


def test_a_window_s_messages_have_their_share_of_the_whole_prompt() -> None:
    messages = [{"role": "user", "content": FILE}] * 10
    [last] = read(Dialect.ANTHROPIC, {"messages": messages}, slice(-1, None)).turns
    assert (last.number, last.tokens) == (10, 100)


def test_the_blocks_of_a_message_share_its_tokens() -> None:
    first = read(Dialect.ANTHROPIC, BODIES[Dialect.ANTHROPIC]).turns[0]
    shares = [block.tokens or 0 for block in first.blocks]
    assert sum(shares) == first.tokens
    assert shares[0] > 5 * shares[1]


def test_blocks_that_no_value_is_known_of_have_no_share() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    [turn] = read(Dialect.CHAT, {"messages": [{"role": "assistant", "content": "I do.", "tool_calls": [call]}]}).turns
    assert (turn.tokens, [block.tokens for block in turn.blocks]) == (1_000, [None, None])


@pytest.mark.parametrize(
    ("more", "total"),
    [({}, None), ({}, 0), ({"previous_response_id": "resp_1"}, 1_000), ({"conversation": "conv_1"}, 1_000)],
)
def test_no_share_is_told_of_a_prompt_that_is_not_known_whole(more: dict[str, Any], total: int | None) -> None:
    found = read(Dialect.RESPONSES, BODIES[Dialect.RESPONSES] | more, total=total)
    assert {part.tokens for part in [*found.tools, *found.system, *found.turns]} == {None}
    assert found.tokens is None


@pytest.mark.parametrize("system", ["", 0, {}, [7], None])
def test_a_system_prompt_of_no_shape_hurts_nothing(system: Any) -> None:
    for dialect in BODIES:
        read(dialect, BODIES[dialect] | {"system": system, "instructions": system})


def result(call: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": content, **more}


def again(dialect: Dialect, messages: list[Any], window: slice = ALL) -> list[list[int]]:
    name = "input" if dialect is Dialect.RESPONSES else "messages"
    return [[block.again for block in turn.blocks] for turn in read(dialect, {name: messages}, window).turns]


def test_a_file_read_thrice_is_named_by_the_message_that_has_it_first() -> None:
    marked = result("c", [{"type": "text", "text": FILE}], cache_control={"type": "ephemeral"})
    messages = [
        {"role": "user", "content": [result("a", FILE), {"type": "text", "text": "Go on."}]},
        {"role": "user", "content": [result("b", FILE)]},
        {"role": "user", "content": [marked]},
    ]
    assert again(Dialect.ANTHROPIC, messages) == [[0, 0], [1], [1]]
    assert again(Dialect.ANTHROPIC, messages, slice(-1, None)) == [[1]]


def test_what_a_message_says_twice_is_a_repeat_within_it() -> None:
    said = {"type": "text", "text": FILE}
    assert again(Dialect.ANTHROPIC, [{"role": "user", "content": [said, said]}]) == [[0, 1]]


def test_the_same_picture_is_a_repeat() -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD" * 100}}
    assert again(Dialect.ANTHROPIC, [{"role": "user", "content": [picture]}] * 2) == [[0], [1]]


def test_repeats_are_found_in_the_other_dialects() -> None:
    answers = [{"role": "tool", "tool_call_id": call, "content": FILE} for call in "ab"]
    assert again(Dialect.CHAT, answers) == [[0], [1]]
    outputs = [{"type": "function_call_output", "call_id": call, "output": FILE} for call in "ab"]
    assert again(Dialect.RESPONSES, outputs) == [[0], [1]]
    asked = [{"role": "user", "content": [{"type": "input_text", "text": FILE}]}] * 2
    assert again(Dialect.RESPONSES, asked) == [[0], [1]]


NO_REPEATS = {
    "short words": {"type": "text", "text": "Go on."},
    "a call": {"type": "tool_use", "id": "a", "name": "Write", "input": {"text": FILE}},
    "a failure": result("a", FILE, is_error=True),
    "thinking": {"type": "thinking", "thinking": FILE, "signature": "s"},
}


@pytest.mark.parametrize("block", NO_REPEATS.values(), ids=NO_REPEATS)
def test_some_things_are_never_a_repeat(block: dict[str, Any]) -> None:
    assert again(Dialect.ANTHROPIC, [{"role": "user", "content": [block]}] * 2) == [[0], [0]]
