"""One request with everything that was said, in the words of the API's clients."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.dialects.content import decode_body
from gateway.dialects.json_values import NotJSONError, read_json
from gateway.grading.asking import grade_of
from gateway.history.packing import Damaged
from gateway.history.queries import detail
from gateway.history.store import NotInHistory, rebuild_request, rebuild_response
from gateway.history.veil import curtain_of, shown_text, shown_value
from gateway.models import RequestLog
from gateway.read_api.grade_shapes import prompt_grade
from gateway.read_api.request_shapes import SUMMARY_COLUMNS, known, rounded, summary

LARGEST: Final = 32_000_000
"""Bytes: a body above this is left out."""
LIMITS: Final = {
    "requestsLimit": ("anthropic-ratelimit-requests-limit", int),
    "requestsRemaining": ("anthropic-ratelimit-requests-remaining", int),
    "requestsReset": ("anthropic-ratelimit-requests-reset", str),
    "tokensLimit": ("anthropic-ratelimit-tokens-limit", int),
    "tokensRemaining": ("anthropic-ratelimit-tokens-remaining", int),
    "tokensReset": ("anthropic-ratelimit-tokens-reset", str),
    "unifiedStatus": ("anthropic-ratelimit-unified-status", str),
    "unifiedUtilization5h": ("anthropic-ratelimit-unified-5h-utilization", float),
    "unifiedReset5h": ("anthropic-ratelimit-unified-5h-reset", str),
    "unifiedUtilization7d": ("anthropic-ratelimit-unified-7d-utilization", float),
    "unifiedReset7d": ("anthropic-ratelimit-unified-7d-reset", str),
    "unifiedFallbackPercentage": ("anthropic-ratelimit-unified-fallback-percentage", float),
    "unifiedOverageStatus": ("anthropic-ratelimit-unified-overage-status", str),
    "unifiedRepresentativeClaim": ("anthropic-ratelimit-unified-representative-claim", str),
}


def listed_request(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a list, from its columns: no header and no body."""
    return summary(row) | known(
        {
            "userAgent": shown_text(row["user_agent"], row["team"]),
            "contentType": row["content_type"],
            "organizationId": row["response__organization_id"],
            "response": known(
                {
                    "statusCode": row["status_code"],
                    "responseTime": rounded(row["response__duration_ms"]),
                    "isStreaming": row["is_streaming"],
                    "completedAt": completed_at(row["started_at"], row["response__duration_ms"]),
                    "streamError": shown_value(row["response__stream_error"], row["team"]),
                }
            ),
        }
    )


def columns_of(row: RequestLog) -> dict[str, Any]:
    response = getattr(row, "response", None)
    return {
        name: getattr(response, name.removeprefix("response__"), None)
        if name.startswith("response__")
        else getattr(row, name)
        for name in SUMMARY_COLUMNS
    }


def bare_request(row: RequestLog) -> dict[str, Any]:
    """For those who see figures alone."""
    return {"request": summary(columns_of(row))}


def whole_request(row: RequestLog, *, chunks: bool) -> dict[str, Any]:
    """`{"request", "detail"}`."""
    told = detail(row.id)
    grade = grade_of(row.id)
    said = {
        "headers": by_name(told["request_headers"]),
        "userAgent": shown_text(row.user_agent, row.team),
        "contentType": row.content_type,
        "promptGrade": prompt_grade(grade) if grade is not None else None,
        "organizationId": told["organization_id"],
        "response": response_of(row, told, chunks=chunks),
    }
    return {"request": summary(columns_of(row)) | request_body(row, told) | known(said), "detail": told}


def response_of(row: RequestLog, told: Mapping[str, Any], *, chunks: bool) -> dict[str, Any]:
    timings = [timing | {"elapsedMs": round(timing["elapsedMs"])} for timing in told["chunk_timings"]]
    parts = {
        "statusCode": row.status_code,
        "headers": by_name(told["response_headers"]),
        "streamError": told["stream_error"],
        "responseTime": rounded(told["duration_ms"]),
        "chunkTimings": timings or None,
        "isStreaming": row.is_streaming,
        "completedAt": completed_at(row.started_at, told["duration_ms"]),
        "rateLimit": rate_limit(told) or None,
    }
    return known(parts) | answer_body(row, told, chunks=chunks)


def request_body(row: RequestLog, told: Mapping[str, Any]) -> dict[str, Any]:
    try:
        data = rebuild_request(row.id)
    except (NotInHistory, Damaged):
        return {}
    return read_body(data, value_of(told["request_headers"], "content-encoding"), row.team)


def answer_body(row: RequestLog, told: Mapping[str, Any], *, chunks: bool) -> dict[str, Any]:
    try:
        data = rebuild_response(row.id)
    except (NotInHistory, Damaged):
        return {}
    sizes = [timing["byteSize"] for timing in told["chunk_timings"]]
    # A passage that is hidden may lie across the border of two chunks.
    pieces = {"streamingChunks": cut(data, sizes)} if chunks and sizes and curtain_of(row.team) is None else {}
    if told["message"] is not None:
        return {"body": told["message"], **pieces}
    return read_body(data, told["response_content_encoding"], row.team) | pieces


def read_body(data: bytes, encoding: str, team: str) -> dict[str, Any]:
    """As `body` when it is JSON, else as `bodyText`; nothing of none, and of one that is too large."""
    plain = decode_body(encoding, data, LARGEST).data if encoding else data
    if not plain or len(plain) > LARGEST:
        return {}
    try:
        return {"body": shown_value(read_json(plain).value, team)}
    except NotJSONError:
        if curtain_of(team) is not None and plain.startswith((b"event:", b"data:", b":")):
            # What is hidden may lie across two events.
            return {}
        return {"bodyText": shown_text(plain.decode("utf-8", "replace"), team)}


def cut(data: bytes, sizes: Iterable[int]) -> list[str]:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size].decode("utf-8", "replace"))
        at += size
    return pieces


def by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def value_of(pairs: Iterable[tuple[str, str]], wanted: str) -> str:
    return ", ".join(value for name, value in pairs if name.lower() == wanted)


def rate_limit(told: Mapping[str, Any]) -> dict[str, Any]:
    """What the headers of the answer said; what cannot be read is left out, and zero is not."""
    found: dict[str, Any] = {"organizationId": told["organization_id"]}
    for name, (header, kind) in LIMITS.items():
        try:
            found[name] = kind(told["rate_limits"][header])
        except (KeyError, ValueError):
            continue
    return known(found) if len(found) > 1 else {}


def completed_at(started: datetime.datetime, duration_ms: float | None) -> str | None:
    return None if duration_ms is None else (started + datetime.timedelta(milliseconds=duration_ms)).isoformat()
