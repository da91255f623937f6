"""Traces with all that takes part: clients, `web` processes, a loader, real workers, a broker, an OTLP receiver."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.models import RequestLog, WaitingTrace
from tests.e2e.processes import ROOT, WebProcess, beside, kill, running_web, until
from tests.e2e.test_metrics import BODY, HEADERS, samples, total
from tests.e2e.wire import ask
from tests.gateway.announcing.receiver import Receiver, receiving
from tests.gateway.tracing.otlp import CLIENT, said, spans, whole
from tests.upstream import FakeProvider

SECONDS = 180
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def naming(receiver: Receiver, **more: str) -> dict[str, str]:
    """The environment that sends to it."""
    return {"TURNLOG_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}"} | more


def turn(web: WebProcess, flags: str = "") -> None:
    trace = [(b"traceparent", f"00-{TRACE}-{PARENT}-{flags}".encode())] if flags else []
    assert ask(web, "POST", "/v1/messages", [*HEADERS, *trace], BODY).status == 200


@contextmanager
def second_worker(web: WebProcess) -> Iterator[None]:
    with (web.directory / "second-worker.log").open("ab") as log:
        command = [sys.executable, "manage.py", "worker"]
        process = subprocess.Popen(command, cwd=ROOT, env=web.environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("broker", ["files", "redis"])
def test_what_two_web_processes_relayed_is_sent_once(
    broker: str,
    receiver: Receiver,
    tmp_path: Path,
    database_url: str,
    upstreams: dict[str, str],
    provider: FakeProvider,
    request: pytest.FixtureRequest,
) -> None:
    redis = {"REDIS_URL": request.getfixturevalue("redis_url")} if broker == "redis" else {}
    environment = upstreams | naming(receiver, TURNLOG_OTLP_SAMPLE="0", **redis)
    (tmp_path / "second").mkdir()
    with (
        running_web(tmp_path, database_url, **environment) as web,
        running_web(
            tmp_path / "second", database_url, **environment | {"TURNLOG_DATA_DIR": str(web.data_dir)}
        ) as second,
        beside(web, "loader"),
        beside(web, "worker"),
    ):
        for one in (web, second):
            turn(one, "01")
            turn(one, "00")
            turn(one)
        until(lambda: total(samples(web), "turnlog_traced_requests_total", result="sent") == 2, SECONDS, "both")
        assert total(samples(second), "turnlog_traced_requests_waiting") == 0
    found = spans(receiver)
    rows = RequestLog.objects.filter(trace_id=TRACE, pk__in=[said(span)["turnlog.request_id"] for span in whole(found)])
    assert (len(whole(found)), rows.count()) == (2, 2)
    assert {span.trace_id.hex() for span in found} == {TRACE}
    assert {span.parent_span_id.hex() for span in whole(found)} == {PARENT}
    attempts = [span for span in found if span.kind == CLIENT]
    assert {span.parent_span_id for span in attempts} == {span.span_id for span in whole(found)}
    assert {said(span)["server.port"] for span in attempts} == {int(upstreams["TURNLOG_ANTHROPIC_URL"].split(":")[-1])}
    assert {said(span)["gen_ai.usage.output_tokens"] for span in whole(found)} == {
        row.response.output_tokens for row in rows.select_related("response")
    }


@pytest.mark.timeout(600)
def test_a_worker_that_is_killed_while_it_sends_loses_nothing(
    receiver: Receiver, tmp_path: Path, database_url: str, upstreams: dict[str, str], provider: FakeProvider
) -> None:
    receiver.go.clear()
    with running_web(tmp_path, database_url, **upstreams | naming(receiver)) as web, beside(web, "loader"):
        for _ in range(3):
            turn(web)
        until(lambda: WaitingTrace.objects.count() == 3, SECONDS, "all are put down")
        with beside(web, "worker") as first:
            until(lambda: receiver.got, SECONDS, "a batch is being sent")
            kill(first)
        assert WaitingTrace.objects.filter(attempts=1).count() == 3
        receiver.go.set()
        with beside(web, "worker"), second_worker(web):
            until(lambda: not WaitingTrace.objects.exists(), SECONDS, "another worker has sent them")
    sent = [uuid.UUID(bytes=span.trace_id) for span in whole(spans(receiver))]
    # Each came twice, with the same id: the first receiver's answer was never seen.
    assert sorted(sent) == sorted([*RequestLog.objects.values_list("pk", flat=True)] * 2)
    assert len({span.span_id for span in spans(receiver)}) == 6


@pytest.mark.timeout(600)
def test_a_receiver_that_is_away_holds_up_nothing_else(
    receiver: Receiver, tmp_path: Path, database_url: str, upstreams: dict[str, str], provider: FakeProvider
) -> None:
    receiver.statuses = [503, 200]
    with (
        running_web(tmp_path, database_url, **upstreams | naming(receiver)) as web,
        beside(web, "loader"),
        beside(web, "worker"),
    ):
        turn(web)
        until(lambda: total(samples(web), "turnlog_trace_sends_failed_total") == 1, SECONDS, "the first is not taken")
        turn(web)
        until(lambda: total(samples(web), "turnlog_traced_requests_total", result="sent") == 2, SECONDS, "both")
    assert len({span.trace_id for span in whole(spans(receiver))}) == 2
