"""A record as spans: the names of the conventions, the record's own times, and nothing that anybody wrote."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from gateway.dialects.names import Dialect, Outcome
from gateway.models import RequestLog, ResponseLog
from gateway.recording.records import Translated
from gateway.tracing.sending import send_next
from gateway.tracing.spans import spans_of
from tests.exchanges import Sample, event_stream, keep_one, message_stream
from tests.gateway.announcing.receiver import Receiver
from tests.gateway.tracing.otlp import CLIENT, SERVER, read, said, spans

pytestmark = pytest.mark.django_db

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
AT = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)
AT_NS = int(AT.timestamp()) * 10**9 + 891_000_000
SECRET = "the words of a person"
ERROR, UNSET = Status.StatusCode.STATUS_CODE_ERROR, Status.StatusCode.STATUS_CODE_UNSET
BODY = {
    "model": "claude-opus-5-5",
    "max_tokens": 4_096,
    "stream": True,
    "system": SECRET,
    "messages": [{"role": "user", "content": SECRET}],
}
HEADERS = (
    ("traceparent", f"00-{TRACE}-{PARENT}-01"),
    ("x-claude-code-session-id", "0190e1c2-9a61-7a31-b7a2-0f9a3e1b5c77"),
    ("user-agent", "claude-cli/2.1.329 (external, sdk-cli)"),
    ("x-team", SECRET),
)


def made(sample: Sample, **changes: Any) -> list[Span]:
    """The spans of this exchange; `changes` are made to its answer's row."""
    kept = keep_one(sample)
    if changes:
        ResponseLog.objects.filter(pk=kept).update(**changes)
    return list(spans_of(RequestLog.objects.select_related("response").get(pk=kept)))


def test_a_turn_of_claude_code() -> None:
    sample = Sample(BODY, message_stream(SECRET), at=AT, request_headers=HEADERS, access_key="ada", team="search")
    whole, attempt = made(sample)
    row = RequestLog.objects.select_related("response").get()
    assert (whole.name, whole.kind) == ("chat claude-opus-5-5", SERVER)
    assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == (TRACE, PARENT)
    assert whole.status.code == UNSET
    assert whole.start_time_unix_nano == AT_NS
    assert whole.end_time_unix_nano == AT_NS + round(row.response.duration_ms * 1e6)
    assert [(each.name, each.time_unix_nano) for each in whole.events] == [("first byte", AT_NS + 900_000_000)]
    assert said(whole) == {
        "http.request.method": "POST",
        "http.route": "/v1/messages",
        "http.response.status_code": 200,
        "server.address": "api.anthropic.com",
        "server.port": 443,
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.conversation.id": "0190e1c2-9a61-7a31-b7a2-0f9a3e1b5c77",
        "gen_ai.request.model": "claude-opus-5-5",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 4_096,
        "gen_ai.response.model": "claude-opus-5-5",
        "gen_ai.response.finish_reasons": ["end_turn"],
        "gen_ai.response.time_to_first_chunk": 0.9,
        "gen_ai.usage.input_tokens": 2_864 + 412 + 39_844,
        "gen_ai.usage.output_tokens": 6,
        "gen_ai.usage.cache_read.input_tokens": 39_844,
        "gen_ai.usage.cache_creation.input_tokens": 412,
        "turnlog.request_id": str(row.pk),
        "turnlog.outcome": "completed",
        "turnlog.provider": "anthropic",
        "turnlog.team": "search",
        "turnlog.key": "ada",
        "turnlog.client": "claude-code",
        "turnlog.cost_usd": float(row.response.cost_usd),
    }
    assert (attempt.name, attempt.kind, attempt.status.code) == ("POST", CLIENT, UNSET)
    assert (attempt.trace_id, attempt.parent_span_id) == (whole.trace_id, whole.span_id)
    assert attempt.start_time_unix_nano == AT_NS + 400_000
    assert attempt.end_time_unix_nano == whole.end_time_unix_nano
    assert [(each.name, each.time_unix_nano - AT_NS) for each in attempt.events] == [
        ("connected", 38_000_000), ("head of the answer", 899_200_000),
    ]  # fmt: skip
    assert said(attempt) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "turnlog.provider": "anthropic",
        "server.address": "api.anthropic.com",
        "server.port": 443,
    }


def test_a_request_without_a_trace_is_one_of_its_own_under_its_own_id() -> None:
    whole, attempt = made(Sample({"model": "m"}))
    assert whole.trace_id == attempt.trace_id == RequestLog.objects.get().pk.bytes
    assert whole.parent_span_id == b""
    assert len({whole.span_id, attempt.span_id}) == 2


def test_made_twice_it_is_the_same_spans() -> None:
    made(Sample(BODY))
    row = RequestLog.objects.select_related("response").get()
    assert [span.SerializeToString() for span in spans_of(row)] == [span.SerializeToString() for span in spans_of(row)]


def test_nothing_that_anybody_wrote_is_sent(receiver: Receiver, put_down: Callable[..., uuid.UUID]) -> None:
    error = event_stream({"type": "error", "error": {"type": SECRET, "message": SECRET}})
    put_down(Sample(BODY, message_stream(SECRET), request_headers=HEADERS, query=SECRET))
    put_down(Sample(BODY, error, status=400, outcome=Outcome.UPSTREAM_ERROR, error=SECRET))
    put_down(Sample(BODY, path=f"/v1/files/{SECRET}"))
    assert send_next(settings.TURNLOG)
    export = read(receiver.got[0])
    assert len(spans(receiver)) == 6
    assert SECRET.encode() not in export.SerializeToString()
    assert said(export.resource_spans[0].resource)["service.name"] == "gateway-of-the-tests"
    assert receiver.got[0].headers["authorization"] == "Basic abc="


FAILED = {
    "a known error": (400, Outcome.UPSTREAM_ERROR, "invalid_request_error", "invalid_request_error"),
    "an unknown one": (418, Outcome.UPSTREAM_ERROR, "teapot_error", "_OTHER"),
    "one without a name": (503, Outcome.UPSTREAM_ERROR, None, "503"),
    "a client that went away": (200, Outcome.CLIENT_DISCONNECTED, None, "client_disconnected"),
    "a break": (200, Outcome.UPSTREAM_ABORTED, None, "upstream_aborted"),
}


@pytest.mark.parametrize("name", FAILED)
def test_a_failure_has_a_name_of_a_closed_list(name: str) -> None:
    status, outcome, error_type, shown = FAILED[name]
    whole, attempt = made(Sample(BODY, status=status, outcome=outcome), error_type=error_type)
    assert (whole.status.code, said(whole)["error.type"], whole.status.message) == (ERROR, shown, "")
    assert said(attempt).get("error.type") == (str(status) if status >= 400 else None)


def attempt(at_us: int, **values: Any) -> dict[str, Any]:
    return {"provider": "anthropic", "address": "https://api.anthropic.com", "at_us": at_us} | values


def test_each_attempt_has_a_span_and_what_we_refused_ourselves_has_none() -> None:
    attempts = [
        attempt(1_000, error="connection refused", phase="connect", credential="one"),
        attempt(5_000, connected_us=6_000, headers_us=9_000, status=529),
        attempt(20_000, error="the circuit is open", phase="plan"),
        attempt(30_000, address="http://[::1]:8000/x", provider="own", model="m2", headers_us=40_000, status=200),
    ]
    whole, *tried = made(Sample(BODY, at=AT), attempts=attempts)
    assert [span.start_time_unix_nano - AT_NS for span in tried] == [1_000_000, 5_000_000, 30_000_000]
    assert [span.end_time_unix_nano for span in tried] == [
        AT_NS + 5_000_000, AT_NS + 9_000_000, whole.end_time_unix_nano,
    ]  # fmt: skip
    assert [said(span).get("error.type") for span in tried] == ["connect", "529", None]
    assert [said(span).get("http.request.resend_count") for span in tried] == [None, 1, 2]
    assert [said(span)["server.port"] for span in tried] == [443, 443, 8000]
    assert said(tried[0])["turnlog.credential"] == "one"
    assert (said(tried[2])["turnlog.model"], said(tried[2])["server.address"]) == ("m2", "::1")
    assert said(whole)["server.address"] == "::1"
    assert len({span.span_id for span in (whole, *tried)}) == 4


PROVIDERS = {
    "https://api.openai.com": "openai",
    "https://x.openai.azure.com": "azure.ai.openai",
    "https://europe-west1-aiplatform.googleapis.com": "openai",
    "https://aiplatform.googleapis.com": "gcp.vertex_ai",
    "https://api.x.ai": "x_ai",
    "https://not-x.ai": "openai",
    "http://10.0.0.7:8000": "openai",
}


@pytest.mark.parametrize("address", PROVIDERS)
def test_the_provider_is_known_by_its_address_else_by_what_it_speaks(address: str) -> None:
    sample = Sample({"model": "m"}, dialect=Dialect.CHAT, path="/v1/chat/completions")
    whole = made(sample, attempts=[attempt(1, address=address)])[0]
    assert said(whole)["gen_ai.provider.name"] == PROVIDERS[address]


def test_a_translated_request_is_its_provider_s() -> None:
    sample = Sample(BODY, translated=Translated("chat", "default"))
    whole = made(sample, attempts=[attempt(1, address="http://10.0.0.7")])[0]
    assert said(whole)["gen_ai.provider.name"] == "openai"


def test_what_asks_no_model_is_no_span_of_generative_ai() -> None:
    whole = made(Sample({"model": "m"}, path="/v1/messages/count_tokens"))[0]
    assert whole.name == "POST /v1/messages/count_tokens"
    assert not [name for name in said(whole) if name.startswith("gen_ai.")]


def test_what_is_not_known_is_left_out_and_zero_is_said() -> None:
    found = said(made(Sample(BODY), input_tokens=0, cache_read_tokens=2**63 - 1, cache_write_tokens=5)[0])
    assert found["gen_ai.usage.cache_creation.input_tokens"] == 5
    # Beyond 64 bits in sum.
    assert "gen_ai.usage.input_tokens" not in found
    none = said(made(Sample(b"no json", chunks=()))[0])
    assert not [name for name in none if name.startswith("gen_ai.usage")]
    nothing = said(made(Sample(BODY, message_stream("x", usage={"input_tokens": 0})))[0])
    assert nothing["gen_ai.usage.input_tokens"] == 0


def test_a_record_without_an_answer_s_row_has_a_span() -> None:
    kept = keep_one(Sample(BODY, at=AT - timedelta(days=1)))
    ResponseLog.objects.filter(pk=kept).delete()
    (whole,) = spans_of(RequestLog.objects.select_related("response").get(pk=kept))
    assert whole.start_time_unix_nano == whole.end_time_unix_nano
