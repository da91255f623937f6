"""What an OTLP endpoint got, read by the messages of OpenTelemetry's own package."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.gateway.announcing.receiver import Received, Receiver

SERVER, CLIENT = Span.SpanKind.SPAN_KIND_SERVER, Span.SpanKind.SPAN_KIND_CLIENT


def read(got: Received) -> ExportTraceServiceRequest:
    assert got.path == "/v1/traces"
    assert got.headers["content-type"] == "application/x-protobuf"
    assert got.headers["content-encoding"] == "gzip"
    return ExportTraceServiceRequest.FromString(gzip.decompress(got.body))


def spans(receiver: Receiver) -> list[Span]:
    """All of them, as they came."""
    exports = [read(got) for got in list(receiver.got)]
    return [
        span for export in exports for of in export.resource_spans for scope in of.scope_spans for span in scope.spans
    ]


def whole(found: Iterable[Span]) -> list[Span]:
    """Those of whole requests."""
    return [span for span in found if span.kind == SERVER]


def said(span: Any) -> dict[str, Any]:
    """Its attributes; or those of a resource."""
    return {pair.key: value_of(pair.value) for pair in span.attributes}


def value_of(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    assert kind is not None
    found = getattr(value, kind)
    return [value_of(each) for each in found.values] if kind == "array_value" else found
