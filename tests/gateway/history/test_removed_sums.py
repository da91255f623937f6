"""Sums by hour and day outlive the turns they are of, whatever is computed again afterwards."""

from __future__ import annotations

import datetime
import threading
from typing import Any

import pytest
from django.db import connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.history.figures import Span, read_figures
from gateway.history.removal import Removed, remove, remove_batch
from gateway.history.rollups import mark_range, roll_up_all
from gateway.models import RequestLog, RollupDay, RollupDue, RollupHour, RollupRemoved, RollupZone
from tests.exchanges import Sample, keep, message_stream
from tests.gateway.history.test_history_command import run
from tests.gateway.history.test_rollups import TOTALS, TRUTH, USAGE, ask, refused

pytestmark = pytest.mark.django_db(transaction=True)

UTC = datetime.UTC
MIDNIGHT = datetime.datetime(2026, 11, 20, tzinfo=UTC)
SESSIONS = ("a", "b", "c")
ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns")


def turn(minute: int, session: str = "a", model: str = "claude-opus-5-5", **more: Any) -> Sample:
    at = MIDNIGHT + datetime.timedelta(minutes=minute)
    headers = [("x-claude-code-session-id", session)]
    stream = message_stream("Hello.", model=model, usage=USAGE)
    return Sample({"model": model}, stream, at, request_headers=headers, **more)


def erase(session: str) -> None:
    for _ in remove(list(RequestLog.objects.filter(session_id=session).order_by("id").values_list("id", flat=True))):
        pass


def by_hour() -> list[tuple[Any, ...]]:
    """What every reader sees of the hours: rows of one combination added up, latencies too."""
    span = Span(MIDNIGHT - datetime.timedelta(days=2), MIDNIGHT + datetime.timedelta(days=3))
    found = read_figures(span, ["time", "model", "team", "status"])
    return sorted((repr(sorted(row.group.items(), key=str)), repr(row.values())) for row in found)


def totals() -> list[tuple[Any, ...]]:
    days = [ask(TOTALS.format(f"gateway_rollupday WHERE zone = '{zone}'")) for zone in ZONES]
    return [ask(TOTALS.format("gateway_rolluphour")), *days]


@pytest.fixture
def zones() -> None:
    for zone in ZONES:
        RollupZone.objects.get_or_create(name=zone)


def test_an_hour_does_not_shrink_when_a_late_turn_comes_after_an_erasure(zones: None) -> None:
    keep([turn(5), turn(50, "b"), turn(59, "b", model="claude-next", team="red"), refused(MIDNIGHT)])
    roll_up_all()
    before, seen = totals(), by_hour()
    run("erase", "--session", "b", "--yes")
    mark_range()
    roll_up_all()
    assert totals() == before
    assert by_hour() == seen
    keep([turn(20)])
    roll_up_all()
    assert RequestLog.objects.count() == 3
    assert totals()[0][0] == before[0][0] + 1
    assert [total[0] for total in totals()] == [5] * 4


def test_what_is_erased_before_it_was_summed_up_is_summed_up_all_the_same(zones: None) -> None:
    keep([turn(5), turn(70, "b")])
    truth = ask(TRUTH)
    erase("a")
    erase("b")
    assert not RequestLog.objects.exists()
    roll_up_all()
    assert totals() == [truth] * 4
    assert RollupHour.objects.count() == 2


def test_an_hour_of_which_nothing_is_left_is_rebuilt(zones: None) -> None:
    keep([turn(5), turn(20)])
    roll_up_all()
    before = totals()
    erase("a")
    for table in (RollupHour, RollupDay):
        table.objects.all().delete()
    assert mark_range() == 1
    roll_up_all()
    assert totals() == before


def test_a_replay_that_is_erased_is_nobodys_usage() -> None:
    keep([turn(5, purpose="replay")])
    erase("a")
    assert not RollupRemoved.objects.exists()


def test_two_who_remove_the_same_turns_count_them_once(zones: None) -> None:
    ids = sorted(keep([turn(5), turn(6)]))
    truth = ask(TRUTH)

    def remove_too() -> None:
        list(remove(ids))
        connections.close_all()

    other = threading.Thread(target=remove_too)
    with transaction.atomic():
        remove_batch(ids, Removed())
        other.start()
        waits_for_lock()
    other.join(30)
    roll_up_all()
    assert totals() == [truth] * 4


def waits_for_lock() -> None:
    """Until another connection waits for a lock of ours."""
    statement = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    for _ in range(100_000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(statement)
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waited")


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.integers(0, 60 * 30), st.sampled_from(SESSIONS)),
        st.tuples(st.just("erase"), st.sampled_from(SESSIONS)),
        st.tuples(st.just("sum up")),
        st.tuples(st.just("mark all")),
    ),
    min_size=3,
    max_size=14,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(STEPS)
def test_nothing_that_was_ever_kept_is_missing_from_the_sums(zones: None, steps: list[tuple[Any, ...]]) -> None:
    for table in (RequestLog, RollupHour, RollupDay, RollupDue, RollupRemoved):
        table.objects.all().delete()
    kept = 0
    for name, *values in steps:
        if name == "keep":
            minute, session = values
            keep([turn(minute, session)])
            kept += 1
        elif name == "erase":
            erase(*values)
        elif name == "sum up":
            roll_up_all()
        elif name == "mark all":
            mark_range()
    mark_range()
    roll_up_all()
    assert [total[0] or 0 for total in totals()] == [kept] * 4
    assert [total[5] or 0 for total in totals()] == [kept * 1_000] * 4
