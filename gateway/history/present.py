"""The history's rows as the objects that commands print and pages show: keys are spelled here, once."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from gateway.dialects.accumulate import accumulate
from gateway.dialects.client_headers import rate_limits
from gateway.dialects.names import Dialect
from gateway.history import timings
from gateway.history.packing import Damaged
from gateway.history.store import rebuild_response
from gateway.history.time_spent import TimeSpent, time_spent
from gateway.history.veil import shown_value
from gateway.models import HeaderRecord, RequestLog, ResponseLog
from gateway.pricing.money import dollars

REQUEST_KEYS = (
    "method",
    "path",
    "dialect",
    "provider",
    "requested_model",
    "model",
    "status_code",
    "outcome",
    "is_streaming",
    "session_id",
    "agent_id",
    "parent_agent_id",
    "client",
    "request_bytes",
)
RESPONSE_KEYS = (
    "stop_reason",
    "usage",
    "first_byte_ms",
    "duration_ms",
    "response_bytes",
    "upstream_request_id",
    "organization_id",
    "cost_usd",
    "cost_note",
)
MORE_REQUEST_KEYS = (
    "query",
    "access_key",
    "team",
    "client_address",
    "routed_model",
    "prompt_id",
    "request_class",
    "client_request_id",
    "thread_id",
    "turn_id",
    "window_id",
    "trace_id",
    "parent_span_id",
    "client_version",
    "user_agent",
    "content_type",
    "betas",
    "message_count",
    "tool_count",
    "max_tokens",
    "tags",
    "capture",
    "capture_policy",
    "purpose",
    "handling",
)
MORE_RESPONSE_KEYS = (
    "headers_ms",
    "service_tier",
    "speed",
    "inference_geo",
    "server_tools",
    "error_type",
    "error_message",
    "stream_error",
    "parse_warnings",
)
TOKEN_KEYS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "thinking_tokens",
)


def list_row(values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the list, from the columns of `RequestLog` and `response__` ones of `ResponseLog`."""
    row: dict[str, Any] = {"id": str(values["id"]), "started_at": timestamp(values["started_at"])}
    row |= {key: values[key] for key in REQUEST_KEYS}
    row |= {key: values[f"response__{key}"] for key in RESPONSE_KEYS}
    row["cost_usd"] = dollars(row["cost_usd"])
    return row


def detail_object(request: RequestLog) -> dict[str, Any]:
    """Everything the history knows of one exchange but its bodies."""
    response: ResponseLog | None = getattr(request, "response", None)
    headers = getattr(request, "header_record", None)
    values = {key: getattr(request, key) for key in ("id", "started_at", *REQUEST_KEYS)}
    values |= {f"response__{key}": getattr(response, key, None) for key in RESPONSE_KEYS}
    detail = list_row(values)
    detail |= {key: getattr(request, key) for key in MORE_REQUEST_KEYS}
    detail |= {key: getattr(response, key, None) for key in MORE_RESPONSE_KEYS}
    detail |= {
        "response_content_type": response.content_type if response else "",
        "response_content_encoding": response.content_encoding if response else "",
        "tokens": {key: getattr(response, key, None) for key in TOKEN_KEYS},
        "attempts": response.attempts if response else [],
        "request_headers": headers.request_pairs if headers else [],
        "response_headers": headers.response_pairs if headers else [],
        "header_rules": (headers.rules if headers else None) or {},
        "rate_limits": limits_of(headers),
        "chunk_timings": chunk_timings(request),
        "time_spent": time_spent_object(request, response),
        "replay_of": str(request.replay_of) if request.replay_of else None,
        "message": message_of(response),
    }
    seen: dict[str, Any] = shown_value(detail, request.team)
    return seen


def limits_of(headers: HeaderRecord | None) -> dict[str, str]:
    """What the rate-limit headers of an answer said, by name; of one sent twice the last counts."""
    pairs = headers.response_pairs if headers else []
    return dict(sorted(rate_limits([(text_bytes(name), text_bytes(value)) for name, value in pairs])))


def text_bytes(text: str) -> bytes:
    """A header as it came, but for a NUL, which JSON columns hold as its picture."""
    return text.encode("latin-1", "replace")


def chunk_timings(request: RequestLog) -> list[dict[str, Any]]:
    """Arrival of each chunk: index from 0, wall time, bytes, and milliseconds since the request was admitted."""
    timing = getattr(request, "chunk_timing", None)
    if timing is None:
        return []
    waited = (timing.first_at - request.started_at) / datetime.timedelta(milliseconds=1)
    return [
        {
            "index": index,
            "timestamp": timestamp(timing.first_at + datetime.timedelta(microseconds=at_us)),
            "byteSize": size,
            "elapsedMs": round(waited + at_us / 1000, 3),
        }
        for index, (at_us, size) in enumerate(timings.unpack(bytes(timing.packed)))
    ]


def time_spent_of(request: RequestLog, response: ResponseLog | None) -> TimeSpent:
    timing = getattr(request, "chunk_timing", None)
    arrivals: list[int] = []
    held: list[tuple[int, int]] = []
    if timing is not None:
        first = (timing.first_at - request.started_at) // datetime.timedelta(microseconds=1)
        arrivals = [first + at_us for at_us, _ in timings.unpack(bytes(timing.packed))]
        held = timings.unpack_held(bytes(timing.held)) if timing.held else []
    attempts = response.attempts if response else []
    return time_spent(arrivals, held, attempts, response.output_tokens if response else None)


def time_spent_object(request: RequestLog, response: ResponseLog | None) -> dict[str, Any]:
    """Milliseconds and tokens per second by part, and the stalls with who was waited for."""
    spent = dataclasses.asdict(time_spent_of(request, response))
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in spent.items()}


def message_of(response: ResponseLog | None) -> Any:
    """The accumulated message of an answer, folded anew from its bytes; None when it has none, or they are damaged."""
    if response is None:
        return None
    try:
        body = rebuild_response(response.request_id)
    except Damaged:
        return None
    message = accumulate(answered_in(response), response.content_type, response.content_encoding, body).message
    return shown_value(message, response.request.team)


def answered_in(response: ResponseLog) -> Dialect:
    """The dialect of the answer as it was recorded: the request's, but where it was translated."""
    return Dialect(response.translation["dialect"] if response.translation else response.request.dialect)


def timestamp(moment: datetime.datetime) -> str:
    """ISO 8601 in UTC, to the microsecond."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
