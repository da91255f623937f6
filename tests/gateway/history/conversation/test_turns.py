"""Calls become turns: retries hang under one, forks and compactions are marked, parents are found without headers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.dialects.names import Dialect, Outcome
from gateway.history.conversation.attempts import Why
from gateway.history.conversation.calls import Call
from gateway.history.conversation.turns import Mark, Turn, gather
from tests.gateway.history.conversation.building import (
    READ,
    START,
    assistant,
    call_of,
    captured_calls,
    talk,
    user,
)


def said(*bodies: Any, **changes: Any) -> list[Call]:
    return [
        call_of(body, START + timedelta(seconds=20 * number), **changes) if not isinstance(body, Call) else body
        for number, body in enumerate(bodies)
    ]


def shape(turns: list[Turn]) -> list[tuple[int, str | None, int | None, list[str], list[str]]]:
    """Number, agent, the parent's number, why of each attempt, marks."""
    return [
        (
            turn.number,
            turn.agent_id,
            turn.parent.number if turn.parent else None,
            [attempt.why.value for attempt in turn.attempts],
            [mark.value for mark in turn.marks],
        )
        for turn in turns
    ]


@pytest.mark.parametrize(
    ("capture", "expected"),
    [
        (
            "claude_three_turns",
            [(1, None, None, ["first"], []), (2, None, 1, ["first"], []), (3, None, 2, ["first"], [])],
        ),
        ("claude_bash_tool", [(1, None, None, ["first"], []), (2, None, 1, ["first"], [])]),
        ("claude_overloaded_retry", [(1, None, None, ["first", "retry"], [])]),
        (
            "claude_unsupported_field_retry",
            [(1, None, None, ["first", *["downgrade"] * 5], [])],
        ),
        ("claude_stream_cut_then_resume", [(1, None, None, ["first", "resumed"], ["resumed"])]),
        (
            "claude_subagents",
            [
                (1, None, None, ["first"], []),
                (2, None, 1, ["first"], []),
                (1, "aad3042cc7935191e", None, ["first"], []),
                (1, "a65e19bb20fbc4844", None, ["first"], []),
                (3, None, 2, ["first"], []),
            ],
        ),
        ("codex_resume", [(1, None, None, ["first"], []), (2, None, 1, ["first"], []), (3, None, 2, ["first"], [])]),
        ("count_tokens", []),
    ],
)
def test_the_turns_of_recorded_sessions_are_those_people_took(capture: str, expected: list[Any]) -> None:
    assert shape(gather(captured_calls(capture), READ)) == expected


@pytest.mark.parametrize("capture", ["claude_three_turns", "claude_stream_cut_then_resume", "codex_resume"])
def test_parents_are_found_without_any_header(capture: str) -> None:
    with_headers = gather(captured_calls(capture), READ)
    bare = [call_of_nobody(call) for call in captured_calls(capture)]
    assert shape(gather(bare, READ)) == shape(with_headers)


def call_of_nobody(call: Call) -> Call:
    from dataclasses import replace

    return replace(call, session_id=None, agent_id=None, window_id=None, client="", client_version="")


def test_dropped_betas_are_named() -> None:
    (turn,) = gather(captured_calls("claude_unsupported_field_retry"), READ)
    assert turn.attempts[1].dropped == ["thinking-token-count-2026-05-13"]


def test_a_rewind_and_a_second_branch_are_forks() -> None:
    turns = gather(said(talk("a"), talk("a", "b", "c"), talk("a", "b", "d")), READ)
    assert shape(turns)[2] == (3, None, 1, ["first"], ["fork"])
    assert shape(turns)[1] == (2, None, 1, ["first"], [])


def test_a_history_changed_in_the_middle_goes_on_from_the_newest_turn() -> None:
    old = talk("a", "read it", "a long result", "fine", "go on")
    new = talk("a", "read it", "[cleared]", "fine", "go on", "done", "next")
    turns = gather(said(talk("a"), old, new), READ)
    assert shape(turns)[2] == (3, None, 2, ["first"], ["rewritten"])


def test_a_short_answer_said_twice_is_no_rewritten_history() -> None:
    turns = gather(said(talk("a"), talk("a", "b", "yes"), talk("a", "x", "yes", "y", "more")), READ)
    assert shape(turns)[2] == (3, None, 1, ["first"], ["fork"])


def test_a_summary_in_place_of_the_history_is_a_compaction() -> None:
    summary = "This session is being continued from a previous conversation that ran out of context. It was about x."
    turns = gather(said(talk("a"), talk("a", "b", "c"), talk(summary)), READ)
    assert shape(turns)[2] == (3, None, 2, ["first"], ["compaction"])


def test_a_compaction_block_marks_the_turn_it_first_stands_in() -> None:
    done = {"role": "assistant", "content": [{"type": "compaction", "content": "it was about x"}]}
    first = talk("a")
    second = first | {"messages": [user("a"), done, user("c")]}
    third = first | {"messages": [user("a"), done, user("c"), assistant("d"), user("e")]}
    assert [turn.marks for turn in gather(said(first, second, third), READ)] == [[], [Mark.COMPACTION], []]


def item(text: str, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}


def test_a_new_window_of_codex_is_a_compaction() -> None:
    bodies = [
        {"model": "gpt-5.5", "input": [item("a"), item("b", "assistant"), item("c")]},
        {"model": "gpt-5.5", "input": [item("sum")]},
    ]
    calls = [
        call_of(body, START, Dialect.RESPONSES, path="/v1/responses", window_id=f"t:{number}")
        for number, body in enumerate(bodies)
    ]
    assert shape(gather(calls, READ))[1] == (2, None, 1, ["first"], ["compaction"])


@pytest.mark.parametrize(
    ("first", "again", "why"),
    [
        ({"status_code": 529, "stop_reason": None, "outcome": Outcome.UPSTREAM_ERROR}, {}, Why.RETRY),
        ({"stop_reason": None, "outcome": Outcome.UPSTREAM_ABORTED}, {}, Why.RETRY),
        ({"stop_reason": None}, {"is_streaming": False}, Why.WITHOUT_STREAMING),
        ({"stop_reason": "end_turn"}, {"is_streaming": False}, Why.WITHOUT_STREAMING),
        ({"stop_reason": "refusal"}, {"betas": ("fallback-credit-2026-06-01",)}, Why.RETRY),
        ({"status_code": 529, "stop_reason": None}, {"requested_model": "claude-sonnet-5"}, Why.OTHER_MODEL),
        ({"status_code": 400, "stop_reason": None, "betas": ("x", "y")}, {"betas": ("y",)}, Why.DOWNGRADE),
        ({"outcome": Outcome.CLIENT_DISCONNECTED, "stop_reason": None}, {}, Why.RETRY),
    ],
)
def test_the_same_messages_again_are_another_attempt(first: dict[str, Any], again: dict[str, Any], why: Why) -> None:
    calls = [call_of(talk("a"), START, **first), call_of(talk("a"), START + timedelta(seconds=1), **again)]
    (turn,) = gather(calls, READ)
    assert turn.attempts[1].why is why
    assert turn.answer is calls[1]


def test_the_same_asked_anew_after_an_answer_is_a_turn_of_its_own() -> None:
    turns = gather(said(talk("a"), talk("a", "b", "c"), talk("a", "b", "c")), READ)
    assert shape(turns)[2] == (3, None, 1, ["first"], ["fork"])


def test_a_cut_answer_sent_back_with_the_request_to_go_on_is_resumed() -> None:
    cut = call_of(talk("a"), START, stop_reason=None, outcome=Outcome.UPSTREAM_ABORTED)
    on = "Your response above was cut off mid-stream. Resume directly from where it stopped."
    (turn,) = gather([cut, call_of(talk("a", "half an", on), START)], READ)
    assert [attempt.why for attempt in turn.attempts] == [Why.FIRST, Why.RESUMED]


def test_a_new_question_after_an_interrupted_answer_is_a_turn() -> None:
    stopped = call_of(talk("a"), START, stop_reason=None, outcome=Outcome.CLIENT_DISCONNECTED)
    turns = gather([stopped, call_of(talk("a", "half", "no, do this"), START)], READ)
    assert shape(turns)[1] == (2, None, 1, ["first"], [])


def test_the_title_of_a_session_is_no_attempt_of_its_first_turn() -> None:
    title = {"model": "claude-haiku-5", "messages": [user("Name this: a")]}
    turns = gather(said(title, talk("a"), talk("a", "b", "c")), READ)
    assert [parent for _, _, parent, _, _ in shape(turns)] == [None, None, 2]
