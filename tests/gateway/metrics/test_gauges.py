"""What processes say of themselves: read back whole, fresh only, gone with the process."""

from __future__ import annotations

import time

import pytest
from django.db import connection

from gateway.api.web_gauges import LoopLag
from gateway.metrics.gauges import FRESH_SECONDS, Gauge, GaugeTeller, Told
from gateway.metrics.gauges import read_told as read_told_by
from gateway.models import MetricTally, ProcessGauges

pytestmark = pytest.mark.django_db(transaction=True)


def read_told(*, stale: bool = False) -> list[Told]:
    with connection.cursor() as cursor:
        return read_told_by(cursor, stale=stale)


def wait_told(process: str, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not any(one.process == process for one in read_told()):
        assert time.monotonic() < deadline, f"{process} has not told of itself"
        time.sleep(0.02)


def test_a_process_tells_what_it_knows_and_takes_it_back_when_it_ends() -> None:
    gauges = [Gauge("queue_waiting", 3, {"provider": "a"}), Gauge("queue_waiting", 4, {"provider": "b"})]
    teller = GaugeTeller("web", lambda process, host: gauges)
    teller.start()
    wait_told(teller.process)
    [told] = read_told()
    teller.stop()
    assert (told.role, told.process) == ("web", teller.process)
    assert told.gauges == gauges
    assert (told.value("queue_waiting"), told.value("draining")) == (7, None)
    assert read_told(stale=True) == []


def test_one_that_told_nothing_for_a_while_is_not_read() -> None:
    for process, seconds in (("web a:1", 0), ("web b:2", FRESH_SECONDS + 1)):
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO gateway_processgauges VALUES "
                "(%s, 'web', 'a', now(), now() - make_interval(secs => %s), '[[\"draining\", 1, {}]]')",
                [process, seconds],
            )
    assert [one.process for one in read_told()] == ["web a:1"]
    assert [one.process for one in read_told(stale=True)] == ["web a:1", "web b:2"]
    assert read_told()[0].gauges == [Gauge("draining", 1, {})]


def test_what_failed_to_be_written_is_written_the_next_time() -> None:
    written: list[str] = []
    failures = iter([True, False])

    def besides() -> None:
        if next(failures, False):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
        written.append("besides")

    teller = GaugeTeller("web", lambda process, host: [], besides, lambda: written.append("done"))
    teller.start()
    wait_told(teller.process)
    teller.stop()
    assert written[:2] == ["besides", "done"]
    assert ProcessGauges.objects.count() == 0


def test_the_tables_are_made_for_being_written_all_the_time() -> None:
    tables = [ProcessGauges._meta.db_table, MetricTally._meta.db_table]
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence, reloptions FROM pg_class WHERE relname = ANY(%s) ORDER BY 1", [tables])
        assert cursor.fetchall() == [("p", ["fillfactor=50"]), ("u", ["fillfactor=20"])]


def test_the_worst_lag_of_late_is_kept() -> None:
    lag = LoopLag()
    assert lag.worst() == 0.0
    for now, late in ((1.0, 0.2), (2.0, 0.5), (3.0, 0.1)):
        lag.note(now, late)
    assert lag.worst() == 0.5
    lag.note(2.0 + 16, 0.05)
    assert lag.worst() == 0.1
