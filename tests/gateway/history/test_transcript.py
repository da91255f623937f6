"""Bodies of the three dialects as turns of blocks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.names import Dialect
from gateway.history.transcript import read_transcript
from gateway.history.transcript.blocks import SHOWN_OF_ONE_TEXT, SHOWN_ON_ONE_PAGE, Block, Turn

EVERYTHING = slice(0, None)
DIALECTS = [Dialect.ANTHROPIC, Dialect.CHAT, Dialect.RESPONSES]


def kinds(turn: Turn) -> list[str]:
    return [block.kind for block in turn.blocks]


def only_block(dialect: str, body: dict[str, Any]) -> Block:
    transcript = read_transcript(dialect, json.dumps(body).encode(), None, EVERYTHING)
    assert transcript is not None
    assert len(transcript.turns) == 1
    assert len(transcript.turns[0].blocks) == 1
    return transcript.turns[0].blocks[0]


def anthropic(*content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(content)}]}


def chat(**message: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant"} | message]}


CASES = {
    "a text block is text": (
        Dialect.ANTHROPIC, anthropic({"type": "text", "text": "hi"}), ("text", "hi"),
    ),
    "a system reminder is folded away": (
        Dialect.ANTHROPIC,
        anthropic({"type": "text", "text": "<system-reminder>x</system-reminder>"}),
        ("reminder", "<system-reminder>x</system-reminder>"),
    ),
    "a thinking block is thinking": (
        Dialect.ANTHROPIC, anthropic({"type": "thinking", "thinking": "hm", "signature": "s"}), ("thinking", "hm"),
    ),
    "a tool call shows its input as JSON": (
        Dialect.ANTHROPIC,
        anthropic({"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}}),
        ("tool_use", '{\n  "command": "ls"\n}'),
    ),
    "a server tool call is a tool call": (
        Dialect.ANTHROPIC,
        anthropic({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}),
        ("tool_use", "{}"),
    ),
    "a failed tool result is marked": (
        Dialect.ANTHROPIC,
        anthropic({"type": "tool_result", "tool_use_id": "toolu_1", "content": "no", "is_error": True}),
        ("tool_error", "no"),
    ),
    "an unknown block is its JSON": (
        Dialect.ANTHROPIC,
        anthropic({"type": "new_thing", "x": 1}),
        ("unknown", '{\n  "type": "new_thing",\n  "x": 1\n}'),
    ),
    "a block that is no object is its JSON": (Dialect.ANTHROPIC, anthropic(7), ("unknown", "7")),
    "a chat tool call shows its arguments as they came": (
        Dialect.CHAT,
        chat(tool_calls=[{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1'}}]),
        ("tool_use", '{"a":1'),
    ),
    "a chat tool message is a result": (
        Dialect.CHAT, chat(role="tool", tool_call_id="call_1", content="done"), ("tool_result", "done"),
    ),
    "a chat refusal is a refusal": (Dialect.CHAT, chat(refusal="I will not"), ("refusal", "I will not")),
    "reasoning of a chat host is thinking": (Dialect.CHAT, chat(reasoning_content="hm"), ("thinking", "hm")),
    "a Responses string input is one user message": (Dialect.RESPONSES, {"input": "hello"}, ("text", "hello")),
    "a custom tool call shows its free text": (
        Dialect.RESPONSES,
        {"input": [{"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "*** Begin"}]},
        ("tool_use", "*** Begin"),
    ),
    "a function's output is a result": (
        Dialect.RESPONSES,
        {"input": [{"type": "function_call_output", "call_id": "c", "output": "ok"}]},
        ("tool_result", "ok"),
    ),
    "reasoning shows its summary": (
        Dialect.RESPONSES,
        {"input": [{"type": "reasoning", "summary": [{"text": "hm"}], "encrypted_content": "x"}]},
        ("thinking", "hm"),
    ),
    "an item of an unknown type is its JSON": (
        Dialect.RESPONSES,
        {"input": [{"type": "compaction_trigger"}]},
        ("unknown", '{\n  "type": "compaction_trigger"\n}'),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("dialect", "body", "expected"), CASES.values(), ids=CASES.keys())
def test_block(dialect: str, body: dict[str, Any], expected: tuple[str, str]) -> None:
    block = only_block(dialect, body)
    assert (block.kind, block.text) == expected


def test_an_image_is_a_placeholder_with_its_size_and_without_its_bytes() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "QUJD" * 100}
    block = only_block(Dialect.ANTHROPIC, anthropic({"type": "image", "source": source}))
    assert (block.kind, block.text, block.note) == ("media", "", "image/png · 300 bytes")
    address = "data:image/webp;base64," + "QUJD" * 10
    part = {"type": "image_url", "image_url": {"url": address}}
    assert only_block(Dialect.CHAT, chat(content=[part])).note == "image/webp · 30 bytes"


def test_tool_results_hold_blocks_of_their_own() -> None:
    inner = [{"type": "text", "text": "page"}, {"type": "image", "source": {"media_type": "image/png", "data": ""}}]
    block = only_block(Dialect.ANTHROPIC, anthropic({"type": "tool_result", "tool_use_id": "t", "content": inner}))
    assert [child.kind for child in block.children] == ["text", "media"]


def test_nesting_ends_somewhere() -> None:
    body = {"type": "text", "text": "deep"}
    for _ in range(40):
        body = {"type": "tool_result", "content": [body]}
    block, depth = only_block(Dialect.ANTHROPIC, anthropic(body)), 0
    while block.children:
        block, depth = block.children[0], depth + 1
    assert 0 < depth < 10
    assert "deep" in block.text


def test_the_window_keeps_the_numbers_of_the_request() -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(1, 101)]
    body = json.dumps({"messages": messages}).encode()
    newest = read_transcript(Dialect.ANTHROPIC, body, None, slice(-3, None))
    assert newest is not None
    assert (newest.first, newest.last, newest.total) == (98, 100, 100)
    middle = read_transcript(Dialect.CHAT, body, None, slice(10, 12))
    assert middle is not None
    assert [(turn.number, turn.blocks[0].text) for turn in middle.turns] == [(11, "11"), (12, "12")]


def test_settings_leave_out_what_is_shown_elsewhere() -> None:
    body = {"model": "m", "messages": [], "max_tokens": 5, "metadata": {"user_id": "u"}}
    transcript = read_transcript(Dialect.ANTHROPIC, json.dumps(body).encode(), None, EVERYTHING)
    assert transcript is not None
    assert transcript.settings == (("max_tokens", "5"), ("metadata", '{\n  "user_id": "u"\n}'))


def test_a_long_text_is_cut_and_says_by_how_much() -> None:
    block = only_block(Dialect.ANTHROPIC, anthropic({"type": "text", "text": "x" * (SHOWN_OF_ONE_TEXT + 5)}))
    assert (len(block.text), block.left_out, block.folded) == (SHOWN_OF_ONE_TEXT, 5, True)


def test_a_page_is_bounded_and_its_newest_turns_come_first() -> None:
    messages = [{"role": "user", "content": "x" * SHOWN_OF_ONE_TEXT} for _ in range(100)]
    transcript = read_transcript(Dialect.ANTHROPIC, json.dumps({"messages": messages}).encode(), None, EVERYTHING)
    assert transcript is not None
    shown = [len(turn.blocks[0].text) for turn in transcript.turns]
    assert sum(shown) == SHOWN_ON_ONE_PAGE
    assert shown[0] == 0
    assert shown[-1] == SHOWN_OF_ONE_TEXT


def test_many_blocks_of_one_turn_are_counted_not_shown() -> None:
    body = anthropic(*({"type": "text", "text": "x"} for _ in range(1_000)))
    transcript = read_transcript(Dialect.ANTHROPIC, json.dumps(body).encode(), None, EVERYTHING)
    assert transcript is not None
    assert transcript.turns[0].blocks[-1].label == "800 more blocks are in the raw bytes"


ANSWERS: dict[str, Any] = {
    Dialect.ANTHROPIC: {"content": [{"type": "thinking", "thinking": "a"}, {"type": "text", "text": "b"}]},
    Dialect.CHAT: {"choices": [{"finish_reason": "stop", "message": {"reasoning": "a", "content": "b"}}]},
    Dialect.RESPONSES: {
        "output": [
            {"type": "reasoning", "summary": [{"text": "a"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
        ]
    },
}


@pytest.mark.parametrize(("dialect", "answer"), ANSWERS.items())
def test_the_answer_is_thinking_and_text(dialect: str, answer: Any) -> None:
    transcript = read_transcript(dialect, b"", answer, EVERYTHING)
    assert transcript is not None
    assert [kind for turn in transcript.answer for kind in kinds(turn)] == ["thinking", "text"]


def test_half_a_surrogate_pair_can_be_written_to_a_page() -> None:
    transcript = read_transcript(Dialect.CHAT, rb'{"messages":[{"role":"user","content":"\ud83d"}]}', None, EVERYTHING)
    assert transcript is not None
    assert transcript.turns[0].blocks[0].text.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(
            ["type", "role", "content", "text", "messages", "input", "tools", "name", "source", "output", "summary",
             "tool_calls", "function", "image_url", "system", "error", "choices", "message", "id"]
        ),
        inner | st.sampled_from(["text", "message", "tool_use", "tool_result", "image", "reasoning", "function_call",
                                 "image_url", "input_image", "document", "custom_tool_call_output"]),
        max_size=6,
    ),
    max_leaves=25,
)  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@given(body=json_values, answer=json_values)
def test_no_body_and_no_answer_breaks_the_page(dialect: str, body: Any, answer: Any) -> None:
    wrapped = {"messages": body, "input": body, "system": body, "tools": body, "instructions": body}
    for shape in (body, wrapped):
        transcript = read_transcript(dialect, json.dumps(shape).encode(), answer, slice(-12, None))
        assert transcript is not None
        assert len(transcript.turns) <= 12


@pytest.mark.parametrize("dialect", DIALECTS)
@given(body=st.binary(max_size=60))
def test_bytes_that_are_no_request_have_no_turns_or_some(dialect: str, body: bytes) -> None:
    transcript = read_transcript(dialect, body, None, EVERYTHING)
    assert transcript is not None
    assert transcript.total == len(transcript.turns)


def test_other_endpoints_have_no_conversation() -> None:
    assert read_transcript(Dialect.OPENAI, b'{"input": "x"}', None, EVERYTHING) is None
