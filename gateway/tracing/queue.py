"""The requests that wait to be sent as spans: taken in batches, by several workers at once, and accounted for.

A worker takes a batch by moving it on in time, not by a transaction it keeps open: one that is killed in the middle
leaves the batch to the next one a minute later. Sent twice is better than never, and it is the same spans.
"""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from gateway.history.id_times import first_id_at
from gateway.metrics.tallies import Tallies, shard_of
from gateway.models import TraceReceiver

BATCH: Final = 256
LEASE_SECONDS: Final = 60
MOST_ATTEMPTS: Final = 12
MOST_WAITING: Final = 100_000
LONGEST_WAIT: Final = timedelta(days=1)
FIRST_PAUSE: Final = 2.0
LONGEST_PAUSE: Final = 300.0
LONGEST_ASKED: Final = 3_600.0
"""Longest wait that a receiver may ask for, in seconds."""
THE_RECEIVER: Final = 1

TAKE = """
WITH due AS MATERIALIZED (
    SELECT request_id FROM gateway_waitingtrace WHERE not_before <= now()
    ORDER BY attempts, request_id LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE gateway_waitingtrace AS waiting
SET attempts = waiting.attempts + 1, not_before = now() + make_interval(secs => %s)
FROM due WHERE waiting.request_id = due.request_id
RETURNING waiting.request_id
"""
REMOVE = "DELETE FROM gateway_waitingtrace WHERE request_id = ANY(%s)"
REMOVE_TIRED = "DELETE FROM gateway_waitingtrace WHERE request_id = ANY(%s) AND attempts >= %s"
REMOVE_OLD = "DELETE FROM gateway_waitingtrace WHERE request_id < %s"
REMOVE_FIRST = """
DELETE FROM gateway_waitingtrace WHERE request_id IN (
    SELECT request_id FROM gateway_waitingtrace ORDER BY request_id
    LIMIT greatest(0, (SELECT count(*) FROM gateway_waitingtrace) - %s)
)
"""
PUT_OFF = "UPDATE gateway_waitingtrace SET not_before = now() + make_interval(secs => %s) WHERE request_id = ANY(%s)"


def trim() -> None:
    """Give up what waited a day, and the oldest of what is too much."""
    with transaction.atomic():
        drop("too_old", REMOVE_OLD, [first_id_at(timezone.now() - LONGEST_WAIT)])
        drop("overflow", REMOVE_FIRST, [MOST_WAITING])


def take() -> list[uuid.UUID]:
    """The next batch, for a minute ours alone; empty: there is none, or the receiver is left alone for now."""
    if TraceReceiver.objects.filter(pk=THE_RECEIVER, not_before__gt=timezone.now()).exists():
        return []
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [BATCH, LEASE_SECONDS])
        return [row[0] for row in cursor.fetchall()]


def settle(results: Mapping[str, Iterable[uuid.UUID]], rejected: int = 0) -> None:
    """They wait no longer; by what came of each. `rejected`: spans that a receiver refused of a batch it took."""
    with transaction.atomic():
        for result, ids in results.items():
            drop(result, REMOVE, [list(ids)])
        count("spans_rejected_total", (), rejected)


def put_off(ids: list[uuid.UUID], problem: str, wait: float | None) -> bool:
    """Again later, these and whatever else waits, unless they were tried too often; whether the receiver was in order
    until now. `wait`: seconds it asked for."""
    with transaction.atomic():
        drop("given_up", REMOVE_TIRED, [ids, MOST_ATTEMPTS])
        receiver, _ = TraceReceiver.objects.select_for_update().get_or_create(pk=THE_RECEIVER)
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(receiver.failures, 30))
        seconds = pause if wait is None else max(FIRST_PAUSE, min(LONGEST_ASKED, wait))
        was_in_order = receiver.failures == 0
        receiver.failures += 1
        receiver.problem = problem[:500]
        receiver.not_before = timezone.now() + timedelta(seconds=seconds)
        receiver.save()
        with connection.cursor() as cursor:
            cursor.execute(PUT_OFF, [seconds, ids])
        count("trace_sends_failed_total", (), 1)
    return was_in_order


def note_answer() -> bool:
    """The receiver answers, though it may refuse; whether it did not until now."""
    return bool(TraceReceiver.objects.filter(pk=THE_RECEIVER).exclude(failures=0).update(failures=0, problem=""))


def drop(result: str, statement: str, values: list[Any]) -> None:
    """In the caller's transaction, and counted as many as there were."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        count("traced_requests_total", (result,), cursor.rowcount)


def count(metric: str, labels: tuple[str, ...], amount: int) -> None:
    if amount <= 0:
        return
    tallies = Tallies()
    tallies.add(metric, labels, amount)
    with connection.cursor() as cursor:
        tallies.write(cursor.execute, shard_of(socket.gethostname()))
