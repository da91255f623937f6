"""Grades of prompts as the read API tells them."""

from __future__ import annotations

from typing import Any

from ninja import Schema

from gateway.grading.rubric import MOST_POINTS
from gateway.models import Grade


class CriteriaScore(Schema):
    score: int
    feedback: str


class PromptGrade(Schema):
    """While the judge has not answered, and where it failed, there are no points; a failure is told in `error`."""

    score: int | None = None
    maxScore: int
    feedback: str
    improvedPrompt: str
    criteria: dict[str, CriteriaScore]
    gradingTimestamp: str | None = None
    isProcessing: bool
    error: str | None = None


def prompt_grade(grade: Grade) -> dict[str, Any]:
    words = grade.words
    told = {
        "score": grade.final_score,
        "maxScore": MOST_POINTS,
        "feedback": words["feedback"],
        "improvedPrompt": words["improved_prompt"],
        "criteria": {
            name: {"score": points, "feedback": words["criteria"].get(name, "")}
            for name, points in grade.points.items()
        },
        "gradingTimestamp": grade.graded_at.isoformat() if grade.graded_at else None,
        "isProcessing": grade.state in (Grade.State.WAITING, Grade.State.RUNNING),
        "error": grade.problem if grade.state == Grade.State.FAILED else None,
    }
    return {name: value for name, value in told.items() if value is not None}
