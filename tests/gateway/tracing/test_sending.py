"""What waits comes to a real receiver once; what a hostile one does costs nothing but what is counted by name."""

from __future__ import annotations

import dataclasses
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as in_force
from django.db import connection
from django.utils import timezone
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from gateway.history.id_times import first_id_at
from gateway.metrics.tallies import read_tallies
from gateway.models import RequestLog, ResponseLog, TraceReceiver, WaitingTrace
from gateway.models.spans import BEGINNING
from gateway.tasks import traces
from gateway.tracing import queue, sending
from gateway.upstream import posting
from tests.conftest import free_port
from tests.gateway.announcing.receiver import Receiver
from tests.gateway.tracing.otlp import spans, whole

pytestmark = pytest.mark.django_db

PutDown = Callable[..., uuid.UUID]


def send_next() -> bool:
    return sending.send_next(in_force.TURNLOG)


def counted() -> dict[str, float]:
    """What /metrics will say, by result."""
    connection.ensure_connection()
    found = read_tallies(connection.connection.execute).all
    return {labels[0] if labels else metric: tally.value for (metric, labels), tally in found.items()}


def call_again() -> None:
    """As if the pause were over."""
    TraceReceiver.objects.update(not_before=BEGINNING)
    WaitingTrace.objects.update(not_before=BEGINNING)


def fail_for(seconds: float) -> None:
    """One batch is not taken, and the receiver left alone for so long: however slow this machine is."""
    before = timezone.now()
    assert not send_next()
    asked = TraceReceiver.objects.get().not_before - timedelta(seconds=seconds)
    assert before <= asked <= timezone.now()


def test_what_waits_is_sent_once(receiver: Receiver, put_down: PutDown) -> None:
    kept = {put_down() for _ in range(3)}
    assert send_next()
    assert not send_next()
    assert {uuid.UUID(bytes=span.trace_id) for span in whole(spans(receiver))} == kept
    assert len(receiver.got) == 1
    assert counted() == {"sent": 3}
    assert not WaitingTrace.objects.exists()


def test_more_than_a_batch_goes_in_several(
    receiver: Receiver, put_down: PutDown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "BATCH", 2)
    for _ in range(5):
        put_down()
    traces.send()
    assert [len(whole(spans(Receiver(got=[got])))) for got in receiver.got] == [2, 2, 1]
    assert counted() == {"sent": 5}


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 302])
def test_what_is_refused_for_good_is_counted_and_holds_up_nothing(
    receiver: Receiver, put_down: PutDown, status: int
) -> None:
    receiver.location = "http://127.0.0.1:1/elsewhere" if status == 302 else ""
    receiver.statuses = [status, 200]
    put_down()
    assert send_next()
    put_down()
    assert send_next()
    assert len(receiver.got) == 2
    assert counted() == {"refused": 1, "sent": 1}


@pytest.mark.parametrize("status", [429, 502, 503, 504, 0])
def test_what_is_not_taken_now_is_sent_later(receiver: Receiver, put_down: PutDown, status: int) -> None:
    receiver.statuses = [status, status, 200]
    put_down()
    for seconds in (queue.FIRST_PAUSE, 2 * queue.FIRST_PAUSE):
        fail_for(seconds)
        call_again()
    assert send_next()
    assert len(receiver.got) == 3
    assert len({got.body for got in receiver.got}) == 1, "the same spans"
    assert counted() == {"trace_sends_failed_total": 2, "sent": 1}
    assert TraceReceiver.objects.get().failures == 0


@pytest.mark.parametrize(("said", "seconds"), [("3000", 3_000), ("0", 2), ("999999999", 3_600), ("soon", 2)])
def test_a_receiver_says_when_to_come_again(receiver: Receiver, put_down: PutDown, said: str, seconds: float) -> None:
    receiver.statuses, receiver.retry_after = [429], said
    put_down()
    fail_for(seconds)


def test_while_the_receiver_is_left_alone_nothing_is_taken(receiver: Receiver, put_down: PutDown) -> None:
    receiver.statuses, receiver.retry_after = [429], "3000"
    put_down()
    assert not send_next()
    put_down()
    assert not send_next()
    assert len(receiver.got) == 1
    assert sorted(WaitingTrace.objects.values_list("attempts", flat=True)) == [0, 1]


def test_a_receiver_that_does_not_answer_is_not_waited_for(
    receiver: Receiver, put_down: PutDown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "SECONDS", 0.2)
    receiver.go.clear()
    put_down()
    assert not send_next()
    assert "0.2 s" in TraceReceiver.objects.get().problem
    assert WaitingTrace.objects.count() == 1


def test_nobody_listens(receiver: Receiver, put_down: PutDown, settings: Any) -> None:
    address = f"http://127.0.0.1:{free_port()}/v1/traces"
    settings.TURNLOG = dataclasses.replace(settings.TURNLOG, otlp_endpoint=address)
    put_down()
    assert not send_next()
    assert TraceReceiver.objects.get().problem
    assert WaitingTrace.objects.count() == 1


def test_what_a_receiver_rejects_of_a_batch_is_counted(receiver: Receiver, put_down: PutDown) -> None:
    partial = ExportTracePartialSuccess(rejected_spans=1, error_message="too old")
    receiver.said = ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    put_down()
    assert send_next()
    assert counted() == {"sent": 1, "spans_rejected_total": 1}


def test_an_answer_of_any_bytes_is_an_answer(receiver: Receiver, put_down: PutDown) -> None:
    receiver.said = bytes(range(256)) * 4_096
    put_down()
    assert send_next()
    assert counted() == {"sent": 1}


def test_what_was_tried_too_often_is_given_up_and_the_new_goes_first(
    receiver: Receiver, put_down: PutDown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "BATCH", 1)
    receiver.statuses = [503]
    old = put_down()
    for _ in range(queue.MOST_ATTEMPTS - 1):
        send_next()
        call_again()
    new = put_down()
    assert not send_next()
    assert WaitingTrace.objects.get(pk=new).attempts == 1
    call_again()
    WaitingTrace.objects.filter(pk=new).delete()
    assert not send_next()
    assert counted() == {"trace_sends_failed_total": queue.MOST_ATTEMPTS + 1, "given_up": 1}
    assert not WaitingTrace.objects.filter(pk=old).exists()


def test_what_waits_too_long_or_is_too_much_is_dropped_by_name(
    receiver: Receiver, put_down: PutDown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST_WAITING", 2)
    kept = [put_down() for _ in range(4)]
    WaitingTrace.objects.create(request_id=first_id_at(timezone.now() - timedelta(days=1, seconds=1)))
    traces.send()
    assert [uuid.UUID(bytes=span.trace_id) for span in whole(spans(receiver))] == kept[2:]
    assert counted() == {"too_old": 1, "overflow": 2, "sent": 2}


def test_a_record_that_was_erased_is_not_sent(receiver: Receiver, put_down: PutDown) -> None:
    RequestLog.objects.filter(pk=put_down()).delete()
    assert send_next()
    assert not receiver.got
    assert counted() == {"removed": 1}


def test_one_of_which_no_spans_can_be_made_holds_up_no_other(receiver: Receiver, put_down: PutDown) -> None:
    ResponseLog.objects.filter(pk=put_down()).update(attempts=[{"no": "attempt"}])
    put_down()
    assert send_next()
    assert len(whole(spans(receiver))) == 1
    assert counted() == {"unmade": 1, "sent": 1}


def test_what_one_worker_took_another_does_not_until_a_minute_later(put_down: PutDown) -> None:
    kept = put_down()
    assert queue.take() == [kept]
    assert queue.take() == []
    # Both times are those of one transaction's beginning.
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM not_before - now()) FROM gateway_waitingtrace")
        assert float(cursor.fetchone()[0]) == queue.LEASE_SECONDS


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_take_each_its_own(receiver: Receiver, put_down: PutDown, monkeypatch: Any) -> None:
    monkeypatch.setattr(queue, "BATCH", 7)
    kept = {put_down() for _ in range(60)}
    found: list[list[uuid.UUID]] = []

    def work() -> None:
        try:
            while batch := queue.take():
                found.append(batch)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    taken = [id for batch in found for id in batch]
    assert (len(taken), set(taken)) == (60, kept)


def test_without_an_endpoint_nothing_is_looked_at(put_down: PutDown, django_assert_num_queries: Any) -> None:
    put_down()
    with django_assert_num_queries(0):
        traces.send()
