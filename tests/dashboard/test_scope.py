"""Time and dimensions as the address has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dashboard.charts import Chart, Series, spark_points
from dashboard.scope import Scope, whole_hours
from gateway.history.visibility import EVERYTHING, Sight
from gateway.models import RequestLog
from tests.exchanges import Sample, keep

NOW = datetime(2026, 11, 26, 12, 34, 56, tzinfo=UTC)
REQUEST = {"model": "claude-opus-5-5", "messages": []}


def test_it_is_written_as_it_was_read() -> None:
    query = {"range": "7d", "team": "alpha", "model": "a b&c"}
    scope = Scope.read(query)
    assert scope.address() == "?range=7d&team=alpha&model=a+b%26c"
    assert scope.address(team="", before="x") == "?range=7d&model=a+b%26c&before=x"


@pytest.mark.parametrize(
    "query",
    [
        {"range": "1000y"},
        {"since": "soon"},
        {"until": "2026-01-01"},
        {"since": "2026-01-02", "until": "2026-01-01"},
        {"team": "\0"},
    ],
)
def test_what_makes_no_sense_is_the_usual(query: dict[str, str]) -> None:
    assert Scope.read(query) == Scope()


def test_the_time_is_a_range_up_to_now_or_what_was_chosen() -> None:
    assert Scope.read({"range": "5h"}).bounds(NOW) == (NOW - timedelta(hours=5), NOW)
    since, until = Scope.read({"since": "2026-11-01", "until": "2026-11-03T06:00"}).bounds(NOW)
    assert (since, until) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 3, 6, tzinfo=UTC))
    assert Scope.read({"since": "2026-11-01"}).bounds(NOW)[1] == NOW


def test_the_time_before_is_as_long_and_ends_where_it_begins() -> None:
    since, until = Scope(range="24h").before(NOW)
    assert until - since == timedelta(hours=24)
    assert until == NOW - timedelta(hours=24)


def test_hours_hold_the_whole_time() -> None:
    span = whole_hours(NOW - timedelta(hours=1), NOW)
    assert (span.since, span.until) == (
        NOW.replace(hour=11, minute=0, second=0),
        NOW.replace(hour=13, minute=0, second=0),
    )
    at = NOW.replace(minute=0, second=0)
    assert whole_hours(at - timedelta(hours=2), at).until == at


@pytest.mark.django_db
def test_rows_are_those_of_the_time_the_dimensions_and_the_teams_one_may_see() -> None:
    now = datetime.now(UTC)
    mine, other, _, _ = keep(
        [
            Sample(REQUEST, team="alpha", access_key="k1"),
            Sample(REQUEST, team="beta", access_key="k1"),
            Sample(REQUEST, team="alpha", access_key="k2"),
            Sample(REQUEST, team="alpha", access_key="k1", at=now - timedelta(hours=2)),
        ]
    )
    scope = Scope(range="1h", key="k1")
    ids = RequestLog.objects.values_list("id", flat=True)
    assert set(scope.rows(EVERYTHING).values_list("id", flat=True)) == {mine, other}
    assert set(scope.rows(Sight(frozenset({"alpha"}))).values_list("id", flat=True)) == {mine}
    assert len(ids) == 4


def test_a_chart_s_rows_are_its_series_side_by_side() -> None:
    chart = Chart("x", [NOW], [Series("a", [1]), Series("b", [None])])
    assert chart.rows[0].values == [1, None]
    assert not chart.empty
    assert Chart("x", [NOW], [Series("a", [None])]).empty


def test_a_spark_line_breaks_where_nothing_is_known() -> None:
    assert len(spark_points([1, 2, None, 3, 4])) == 2
    assert spark_points([1]) == []
    assert spark_points([0, 2]) == ["0.0,23.0 100.0,1.0"]
