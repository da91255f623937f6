"""What a judge may answer, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.grading.rubric import CRITERIA
from gateway.grading.verdict import FAILURES, Failure, read_verdict

MARK = "5f3a"


def told(score: Any = 3, overall: Any = None, **changes: Any) -> dict[str, Any]:
    criteria = {name: {"score": score, "feedback": f"about {name}"} for name in CRITERIA}
    whole = {
        "mark": MARK,
        "criteria": criteria,
        "overallScore": score if overall is None else overall,
        "detailedFeedback": "all in all",
        "improvedPrompt": "Better so.",
    }
    return whole | changes


def text(**options: Any) -> str:
    return json.dumps(told(**options))


@pytest.mark.parametrize(
    "answer",
    [
        text(),
        f"```json\n{text()}\n```",
        f"```\n{text()}\n```",
        f"Here is the grade:\n\n```json\n{json.dumps(told(), indent=2)}\n```\nI hope it helps.",
        f"Sure! {text()} Done.",
        f"```json\n{json.dumps({'mark': 'another'})}\n```\n```json\n{text()}\n```",
    ],
    ids=["bare", "fenced json", "fenced", "with words around", "in a sentence", "the second of two"],
)
def test_a_verdict_is_found_fenced_and_bare(answer: str) -> None:
    verdict = read_verdict(answer, MARK)
    assert verdict.score == 3
    assert {name: entry["score"] for name, entry in verdict.criteria.items()} == dict.fromkeys(CRITERIA, 3)
    assert verdict.criteria["clarity"]["feedback"] == "about clarity"
    assert (verdict.feedback, verdict.improved_prompt) == ("all in all", "Better so.")


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("I would rather not.", "no_json"),
        ("{'mark': 'single quotes'}", "bad_json"),
        ('{"mark": "5f3a", "criteria": {', "bad_json"),
        ('{"mark": "5f3a"}', "incomplete"),
        (text(criteria={"clarity": {"score": 3}}), "incomplete"),
        (text(overall=None, overallScore=None), "incomplete"),
        (text(score=6), "out_of_range"),
        (text(score=0), "out_of_range"),
        (text(score="5"), "out_of_range"),
        (text(score=2.5), "out_of_range"),
        (text(score=True), "out_of_range"),
        (text(score=1, overall=5), "contradictory"),
        (text(mark="a guess"), "not_ours"),
        ("[" * 100_000, "no_json"),
    ],
)
def test_whatever_is_no_verdict_fails_by_name(answer: str, name: str) -> None:
    with pytest.raises(Failure) as caught:
        read_verdict(answer, MARK)
    assert caught.value.name == name
    assert caught.value.name in FAILURES


@given(st.text())
def test_no_answer_breaks_the_reading(answer: str) -> None:
    with pytest.raises(Failure):
        read_verdict(answer, MARK)


def test_what_no_column_holds_is_taken_out() -> None:
    verdict = read_verdict(json.dumps(told(detailedFeedback="a\0b\ud800c", improvedPrompt=["no", "text"])), MARK)
    assert verdict.feedback == "ab?c"
    assert verdict.improved_prompt == ""
