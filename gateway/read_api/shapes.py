"""The objects of the read API, spelled as its clients know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.grading.rubric import MOST_POINTS
from gateway.history.figures import Figures
from gateway.history.veil import shown_value
from gateway.models import Grade

SUMMARY_COLUMNS = (
    "id", "started_at", "method", "path", "requested_model", "model", "routed_model", "status_code", "session_id",
    "message_count", "response__duration_ms", "response__stop_reason", "response__input_tokens",
    "response__output_tokens", "response__cache_write_tokens", "response__cache_read_tokens", "response__service_tier",
)  # fmt: skip
USAGE = {
    "input_tokens": "response__input_tokens",
    "output_tokens": "response__output_tokens",
    "cache_creation_input_tokens": "response__cache_write_tokens",
    "cache_read_input_tokens": "response__cache_read_tokens",
    "service_tier": "response__service_tier",
}
ALL_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is not known is left out: absent is not zero."""
    usage = {name: row[column] for name, column in USAGE.items() if row[column] is not None}
    told = {
        "requestId": str(row["id"]),
        "timestamp": row["started_at"].isoformat(),
        "method": row["method"],
        "endpoint": row["path"],
        "model": row["model"] or row["routed_model"] or row["requested_model"],
        "originalModel": row["requested_model"],
        "routedModel": row["routed_model"],
        "statusCode": row["status_code"],
        "responseTime": None if row["response__duration_ms"] is None else round(row["response__duration_ms"]),
        "usage": usage or None,
        "conversationHash": row["session_id"],
        "messageCount": row["message_count"],
        "stopReason": row["response__stop_reason"],
    }
    return {name: value for name, value in told.items() if value is not None}


def tokens_of(figures: Figures) -> int:
    """All kinds together, as far as they were told."""
    return sum(figures.sums[name] or 0 for name in ALL_TOKENS)


def counted(found: Sequence[Figures]) -> dict[str, Any]:
    """Tokens and requests, and both by model."""
    models: dict[str, dict[str, int]] = {}
    for figures in found:
        entry = models.setdefault(figures.group["model"] or "unknown", {"tokens": 0, "requests": 0})
        entry["tokens"] += tokens_of(figures)
        entry["requests"] += figures.sums["requests"]
    return {
        "tokens": sum(entry["tokens"] for entry in models.values()),
        "requests": sum(entry["requests"] for entry in models.values()),
        "models": models,
    }


def prompt_grade(grade: Grade) -> dict[str, Any]:
    """While the judge has not answered, and where it failed, there are no points; a failure is told in `error`."""
    words = shown_value(grade.words, grade.team)
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


def whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds)
