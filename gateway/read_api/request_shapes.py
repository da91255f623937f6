"""Requests as the read API tells them, spelled as its clients know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ninja import Schema

from gateway.read_api.grade_shapes import PromptGrade

SUMMARY_COLUMNS = (
    "id", "started_at", "method", "path", "requested_model", "model", "routed_model", "provider", "status_code",
    "session_id", "message_count", "response__duration_ms", "response__first_byte_ms", "response__stop_reason",
    "response__input_tokens", "response__output_tokens", "response__cache_write_tokens",
    "response__cache_read_tokens", "response__service_tier",
)  # fmt: skip
LIST_COLUMNS = (
    *SUMMARY_COLUMNS, "team", "user_agent", "content_type", "is_streaming", "response__organization_id",
    "response__stream_error",
)  # fmt: skip
USAGE = {
    "input_tokens": "response__input_tokens",
    "output_tokens": "response__output_tokens",
    "cache_creation_input_tokens": "response__cache_write_tokens",
    "cache_read_input_tokens": "response__cache_read_tokens",
    "service_tier": "response__service_tier",
}


class AnthropicUsage(Schema):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    service_tier: str | None = None


class RequestSummary(Schema):
    """`model` is the one that answered, else the one asked for; times are in milliseconds; `conversationHash` is the
    id of the session."""

    requestId: str
    timestamp: str
    method: str
    endpoint: str
    model: str | None = None
    originalModel: str | None = None
    routedModel: str | None = None
    provider: str | None = None
    statusCode: int | None = None
    responseTime: int | None = None
    firstByteTime: int | None = None
    usage: AnthropicUsage | None = None
    conversationHash: str | None = None
    messageCount: int | None = None
    stopReason: str | None = None


class ChunkTiming(Schema):
    """`elapsedMs` is counted from the admission of the request."""

    index: int
    timestamp: str
    byteSize: int
    elapsedMs: int


class RateLimitInfo(Schema):
    """Shares are from 0 to 1; resets of unified windows are seconds of Unix time, as text."""

    organizationId: str | None = None
    requestsLimit: int | None = None
    requestsRemaining: int | None = None
    requestsReset: str | None = None
    tokensLimit: int | None = None
    tokensRemaining: int | None = None
    tokensReset: str | None = None
    unifiedStatus: str | None = None
    unifiedUtilization5h: float | None = None
    unifiedReset5h: str | None = None
    unifiedUtilization7d: float | None = None
    unifiedReset7d: str | None = None
    unifiedFallbackPercentage: float | None = None
    unifiedOverageStatus: str | None = None
    unifiedRepresentativeClaim: str | None = None


class ResponseLog(Schema):
    """`body` is the message, of a stream the one it adds up to; `bodyText` what is no JSON."""

    statusCode: int | None = None
    headers: dict[str, list[str]] | None = None
    body: Any = None
    bodyText: str | None = None
    streamError: str | None = None
    responseTime: int | None = None
    streamingChunks: list[str] | None = None
    chunkTimings: list[ChunkTiming] | None = None
    isStreaming: bool | None = None
    completedAt: str | None = None
    rateLimit: RateLimitInfo | None = None


class RequestLog(RequestSummary):
    headers: dict[str, list[str]] | None = None
    body: Any = None
    bodyText: str | None = None
    userAgent: str | None = None
    contentType: str | None = None
    promptGrade: PromptGrade | None = None
    response: ResponseLog | None = None
    organizationId: str | None = None


class Page(Schema):
    """`total` is counted no further than 10,000, then `totalIsCapped`. `next` is the `before` of the page after this.
    `lookedUntil`: what is asked for has no index, and nothing older than this id was looked at; it goes on as
    `before`."""

    total: int
    totalIsCapped: bool
    limit: int
    next: str | None = None
    lookedUntil: str | None = None


class RequestSummaries(Page):
    requests: list[RequestSummary]


class RequestLogs(Page):
    requests: list[RequestLog]


class LatestDate(Schema):
    latestDate: str | None = None


class OneRequest(Schema):
    """`detail` is everything the history knows, in its own words; `bodiesHidden`: you see the figures alone."""

    request: RequestLog
    fullId: str
    bodiesHidden: bool
    detail: dict[str, Any] | None = None


class Erased(Schema):
    """`held`: requests that a hold keeps; `certificate`: the number of the certificate of what was erased."""

    message: str
    deleted: int
    held: int
    certificate: int


def known(told: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: absent is not zero."""
    return {name: value for name, value in told.items() if value is not None}


def summary(row: Mapping[str, Any]) -> dict[str, Any]:
    usage = {name: row[column] for name, column in USAGE.items() if row[column] is not None}
    return known(
        {
            "requestId": str(row["id"]),
            "timestamp": row["started_at"].isoformat(),
            "method": row["method"],
            "endpoint": row["path"],
            "model": row["model"] or row["routed_model"] or row["requested_model"],
            "originalModel": row["requested_model"],
            "routedModel": row["routed_model"],
            "provider": row["provider"] or None,
            "statusCode": row["status_code"],
            "responseTime": rounded(row["response__duration_ms"]),
            "firstByteTime": rounded(row["response__first_byte_ms"]),
            "usage": usage or None,
            "conversationHash": row["session_id"],
            "messageCount": row["message_count"],
            "stopReason": row["response__stop_reason"],
        }
    )


def rounded(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds)
