"""A stored request as OpenTelemetry spans: one for all of it, and one below that for each try to reach a provider.

Every id follows from the request's own, so that what is sent twice is the same span twice. A request that its client
counts to no trace is a trace of its own, whose id is the request's.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, SpanFlags, Status

from gateway.models import RequestLog, ResponseLog
from gateway.tracing.attributes import (
    MOST_CHARACTERS,
    Attributes,
    attempt_attributes,
    attempts_of,
    name_of,
    request_attributes,
)

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
LARGEST_INTEGER = 2**63 - 1
SAMPLED = 1
LOCAL = SAMPLED | SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
REMOTE = LOCAL | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK


def export_of(spans: Iterable[Span], service: str, version: str) -> bytes:
    """The body of one POST to an OTLP endpoint: ExportTraceServiceRequest."""
    named: Attributes = {"service.name": service, "service.version": version}
    scope = ScopeSpans(scope=InstrumentationScope(name="turnlog", version=version), spans=spans)
    resource = ResourceSpans(resource=Resource(attributes=pairs(named)), scope_spans=[scope])
    return ExportTraceServiceRequest(resource_spans=[resource]).SerializeToString()


def spans_of(request: RequestLog) -> Iterator[Span]:
    response: ResponseLog | None = getattr(request, "response", None)
    trace = bytes.fromhex(request.trace_id) if request.trace_id else request.pk.bytes
    whole = whole_span(request, response, trace)
    yield whole
    attempts = attempts_of(response)
    for number, attempt in enumerate(attempts):
        following = attempts[number + 1]["at_us"] if number + 1 < len(attempts) else None
        yield attempt_span(request, attempt, number, following, whole)


def whole_span(request: RequestLog, response: ResponseLog | None, trace: bytes) -> Span:
    """From admission to the end of the answer."""
    start = nanoseconds(request.started_at)
    attributes = request_attributes(request, response)
    events = []
    if response is not None and response.first_byte_ms is not None:
        events.append(event("first byte", start + int(response.first_byte_ms * 1e6)))
    return Span(
        trace_id=trace,
        span_id=span_id(request, 0),
        parent_span_id=bytes.fromhex(request.parent_span_id or ""),
        flags=REMOTE if request.parent_span_id else LOCAL,
        name=name_of(request),
        kind=Span.SpanKind.SPAN_KIND_SERVER,
        start_time_unix_nano=start,
        end_time_unix_nano=start + int((response.duration_ms or 0.0) * 1e6 if response else 0),
        attributes=pairs(attributes),
        events=events,
        status=status_of(attributes),
    )


def attempt_span(
    request: RequestLog, attempt: Mapping[str, Any], number: int, following_us: int | None, whole: Span
) -> Span:
    """The last lasts as long as its answer; one before it until its answer began or the next was made."""
    start = whole.start_time_unix_nano
    connected, headers = attempt.get("connected_us"), attempt.get("headers_us")
    end = whole.end_time_unix_nano
    if following_us is not None:
        end = start + (following_us if headers is None else headers) * 1000
    began = start + attempt["at_us"] * 1000
    attributes = attempt_attributes(request, attempt, number)
    reached = (("connected", connected), ("head of the answer", headers))
    return Span(
        trace_id=whole.trace_id,
        span_id=span_id(request, number + 1),
        parent_span_id=whole.span_id,
        flags=LOCAL,
        name=request.method[:MOST_CHARACTERS],
        kind=Span.SpanKind.SPAN_KIND_CLIENT,
        start_time_unix_nano=began,
        end_time_unix_nano=max(began, end),
        attributes=pairs(attributes),
        events=[event(name, start + at * 1000) for name, at in reached if at is not None],
        status=status_of(attributes),
    )


def span_id(request: RequestLog, number: int) -> bytes:
    """8 bytes; 0 is the request's own."""
    return hashlib.blake2b(request.pk.bytes + bytes([number % 256]), digest_size=8).digest()


def nanoseconds(moment: datetime.datetime) -> int:
    return (moment - EPOCH) // datetime.timedelta(microseconds=1) * 1000


def event(name: str, at: int) -> Span.Event:
    return Span.Event(name=name, time_unix_nano=at)


def status_of(attributes: Attributes) -> Status:
    """Without words: an error's are somebody's."""
    failed = attributes["error.type"] is not None
    return Status(code=Status.StatusCode.STATUS_CODE_ERROR if failed else Status.StatusCode.STATUS_CODE_UNSET)


def pairs(attributes: Attributes) -> list[KeyValue]:
    """What is not known, empty, or beyond 64 bits is left out."""
    return [KeyValue(key=key, value=value_of(value)) for key, value in attributes.items() if is_said(value)]


def is_said(value: Any) -> bool:
    return value not in (None, "") and not (isinstance(value, int) and value > LARGEST_INTEGER)


def value_of(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[value_of(each) for each in value]))
    return AnyValue(string_value=str(value)[:MOST_CHARACTERS])
