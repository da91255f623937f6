"""The worker's side of tracing: finished requests are read from the history, and sent as spans."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

import structlog
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from gateway.models import RequestLog
from gateway.tracing import queue
from gateway.tracing.receiver import NotTaken, post_spans
from gateway.tracing.spans import export_of, spans_of
from gateway.version import VERSION

READ = (
    "started_at", "method", "path", "dialect", "provider", "access_key", "team", "requested_model", "model",
    "is_streaming", "status_code", "outcome", "session_id", "trace_id", "parent_span_id", "client", "max_tokens",
    "purpose", "handling", "response__first_byte_ms", "response__duration_ms", "response__stop_reason",
    "response__input_tokens", "response__output_tokens", "response__cache_read_tokens", "response__cache_write_tokens",
    "response__thinking_tokens", "response__cost_usd", "response__error_type", "response__attempts",
    "response__translation",
)  # fmt: skip

log = structlog.get_logger(__name__)


def send_next(environment: Any) -> bool:
    """Send one batch; whether more may follow at once."""
    ids = queue.take()
    if not ids:
        return False
    spans, unmade = make_spans(
        RequestLog.objects.filter(pk__in=ids).select_related("response").only(*READ).order_by("pk")
    )
    kept = {id for id, _ in spans}
    # A record that was erased meanwhile is nobody's trace any more.
    settled = {"unmade": unmade, "removed": set(ids) - kept - unmade}
    try:
        rejected = send([span for _, made in spans for span in made], environment) if spans else 0
    except NotTaken as problem:
        return fail(problem, sorted(kept), settled)
    queue.settle(settled | {"sent": kept}, rejected)
    return True


def make_spans(requests: Iterable[RequestLog]) -> tuple[list[tuple[uuid.UUID, list[Span]]], set[uuid.UUID]]:
    """By request, and those of which no spans could be made: one of them is not to hold up the others."""
    made, unmade = [], set()
    for request in requests:
        try:
            made.append((request.pk, list(spans_of(request))))
        except Exception:
            log.exception("no spans could be made", request_id=str(request.pk))
            unmade.add(request.pk)
    return made, unmade


def send(spans: list[Span], environment: Any) -> int:
    """How many of them were rejected. Raises NotTaken."""
    taken = post_spans(export_of(spans, environment.otlp_service_name, VERSION), environment)
    if queue.note_answer():
        log.info("the OTLP endpoint takes spans again")
    if taken.rejected or taken.why:
        log.warning("the OTLP endpoint took a part", rejected=taken.rejected, why=taken.why)
    return taken.rejected


def fail(problem: NotTaken, ids: list[uuid.UUID], settled: dict[str, set[uuid.UUID]]) -> bool:
    if problem.again:
        queue.settle(settled)
        if queue.put_off(ids, str(problem), problem.wait):
            log.warning("spans were not sent, and are tried again", problem=str(problem))
        return False
    queue.note_answer()
    queue.settle(settled | {"refused": set(ids)})
    log.warning("the OTLP endpoint refuses spans for good", problem=str(problem), requests=len(ids))
    return True
