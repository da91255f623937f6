"""Sums by hour and day: always those of the turns themselves, whatever happened on the way."""

from __future__ import annotations

import datetime
import math
import random
from collections import Counter
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.names import Dialect, Outcome
from gateway.history.cost_runs import recompute, run_waiting
from gateway.history.figures import Span, added_up, read_figures
from gateway.history.id_times import first_id_at
from gateway.history.latency import LAST, bucket_sql, percentile
from gateway.history.rollups import ROLLUP_LOCK, LocalDay, bounds_of, days_over, mark_range, roll_up, roll_up_all
from gateway.models import (
    CostRun,
    ModelPrice,
    OverallDay,
    OverallHour,
    RequestLog,
    ResponseLog,
    RollupDay,
    RollupDue,
    RollupHour,
    RollupZone,
)
from tests.exchanges import Sample, keep, keep_one, message_stream

pytestmark = pytest.mark.django_db(transaction=True)

UTC = datetime.UTC
NOON = datetime.datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
USAGE = {
    "input_tokens": 1_000,
    "cache_read_input_tokens": 20_000,
    "cache_creation_input_tokens": 3_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 2_000},
    "server_tool_use": {"web_search_requests": 1},
}
TOTALS = """
SELECT sum(requests), sum(errors), sum(metered), sum(unpriced), sum(partial), sum(input_tokens), sum(output_tokens),
       sum(cache_read_tokens), sum(cache_write_tokens), sum(cache_write_1h_tokens), sum(web_searches), sum(cost_usd),
       sum(request_bytes), sum(response_bytes) FROM {}
"""
TRUTH = """
SELECT count(*), count(*) FILTER (WHERE outcome <> 'completed' OR status_code >= 400),
       count(*) FILTER (WHERE usage IS NOT NULL), count(*) FILTER (WHERE usage IS NOT NULL AND cost_usd IS NULL),
       count(*) FILTER (WHERE cost_usd IS NOT NULL AND cost_note <> ''), sum(input_tokens), sum(output_tokens),
       sum(cache_read_tokens), sum(cache_write_tokens), sum(cache_write_1h_tokens),
       sum((server_tools->>'web_search')::int), sum(cost_usd), sum(request_bytes), sum(response_bytes)
FROM gateway_requestlog JOIN gateway_responselog USING (id) WHERE purpose = ''
"""


def ask(statement: str) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return tuple(cursor.fetchone())


def turn(at: datetime.datetime = NOON, model: str = "claude-opus-5-5", **values: Any) -> Sample:
    return Sample({"model": model}, message_stream("Hello.", model=model, usage=USAGE), at, **values)


def refused(at: datetime.datetime = NOON) -> Sample:
    error = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}'
    return Sample({"model": "claude-opus-5-5"}, [error], at, status=429, outcome=Outcome.UPSTREAM_ERROR)


def some_turns(count: int, days: int = 3) -> list[Sample]:
    chance = random.Random(20261125)
    return [
        turn(
            NOON - datetime.timedelta(seconds=chance.randrange(days * 86_400)),
            chance.choice(["claude-opus-5-5", "claude-haiku-5-5", "claude-next"]),
            team=chance.choice(["blue", "red"]),
            access_key=chance.choice(["ann", "bob", ""]),
            first_ms=chance.randrange(100, 9_000),
        )
        if chance.random() < 0.9
        else refused(NOON - datetime.timedelta(seconds=chance.randrange(days * 86_400)))
        for _ in range(count)
    ]


def agree() -> None:
    truth = ask(TRUTH)
    for table in ("gateway_rolluphour", "gateway_overallhour"):
        assert ask(TOTALS.format(table)) == truth
    for zone in RollupZone.objects.values_list("name", flat=True):
        for table in ("gateway_rollupday", "gateway_overallday"):
            assert ask(TOTALS.format(f"{table} WHERE zone = '{zone}'")) == truth


def test_the_sums_are_those_of_the_turns() -> None:
    keep(some_turns(200))
    roll_up_all()
    agree()
    assert not RollupDue.objects.exists()
    assert RollupHour.objects.filter(model="claude-next", cost_usd=None).exists()


def test_what_one_combination_holds() -> None:
    keep([turn(team="blue", access_key="ann"), turn(team="blue", access_key="ann"), turn(team="red"), refused()])
    roll_up_all()
    blue = RollupHour.objects.get(team="blue")
    assert (blue.hour, blue.provider, blue.model) == (NOON.replace(minute=0), "anthropic", "claude-opus-5-5")
    assert (blue.requests, blue.errors, blue.metered, blue.unpriced, blue.partial) == (2, 0, 2, 0, 0)
    assert (blue.input_tokens, blue.cache_read_tokens, blue.cache_write_tokens) == (2_000, 40_000, 6_000)
    assert (blue.cache_write_1h_tokens, blue.web_searches, blue.thinking_tokens) == (4_000, 2, None)
    each = (
        Decimal("0.004") + Decimal("0.004") + Decimal("0.005") + Decimal("0.016") + Decimal("0.01") + Decimal("0.00012")
    )
    assert blue.cost_usd == 2 * each
    refusal = RollupHour.objects.get(status="429")
    assert (refusal.errors, refusal.metered, refusal.input_tokens, refusal.cost_usd) == (1, 0, None, None)


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_what_is_read_over_all_keys_is_what_the_keys_add_up_to(zone: str | None) -> None:
    keep(some_turns(80))
    roll_up_all()
    day = datetime.timedelta(days=1)
    since, until = NOON - 4 * day, NOON + day
    span = Span(since, until) if zone is None else Span(since.date(), until.date(), zone)
    by_key = read_figures(span, ("model", "team", "access_key"))
    overall = read_figures(span, ("model", "team"))
    assert 1 < len(overall) < len(by_key)
    for figures in overall:
        whole = added_up(each for each in by_key if each.group | figures.group == each.group)
        assert whole is not None
        assert figures.sums == pytest.approx(whole.sums)
        assert figures.counts == whole.counts
    assert OverallHour.objects.count() < RollupHour.objects.count()
    assert OverallDay.objects.count() < RollupDay.objects.count()


def test_a_late_turn_changes_its_hour_and_no_other() -> None:
    keep([turn(), turn(NOON - datetime.timedelta(hours=30))])
    roll_up_all()
    others = list(RollupHour.objects.exclude(hour=NOON.replace(minute=0)).values())
    keep([turn()])
    assert RollupDue.objects.count() == 1
    assert roll_up_all() == 1
    agree()
    assert list(RollupHour.objects.exclude(hour=NOON.replace(minute=0)).values()) == others


def test_summing_up_again_changes_nothing() -> None:
    keep(some_turns(60))
    roll_up_all()
    before = list(RollupHour.objects.order_by("hour", "model", "team", "access_key", "status").values(*SHOWN))
    assert mark_range() == len({row["hour"] for row in before})
    roll_up_all()
    assert list(RollupHour.objects.order_by("hour", "model", "team", "access_key", "status").values(*SHOWN)) == before


SHOWN = [field.name for field in RollupHour._meta.concrete_fields if field.name != "id"]


def test_a_run_that_fails_half_way_leaves_everything_as_it_was() -> None:
    keep(some_turns(40))
    roll_up_all()
    keep([turn()])
    before = ask(TOTALS.format("gateway_rolluphour"))
    with transaction.atomic():
        roll_up()
        transaction.set_rollback(True)
    assert ask(TOTALS.format("gateway_rolluphour")) == before
    assert RollupDue.objects.count() == 1
    roll_up_all()
    agree()


def test_two_who_sum_up_at_once_do_not_both() -> None:
    keep([turn()])
    other = connection.copy()
    try:
        with other.cursor() as elsewhere:
            elsewhere.execute("SELECT pg_advisory_lock(%s)", [ROLLUP_LOCK])
            assert roll_up() is None
            elsewhere.execute("SELECT pg_advisory_unlock(%s)", [ROLLUP_LOCK])
    finally:
        other.close()
    assert roll_up() == 1


def test_replays_and_self_tests_are_no_usage() -> None:
    keep([turn(), turn(purpose="replay"), turn(purpose="selftest")])
    roll_up_all()
    assert ask(TOTALS.format("gateway_rolluphour"))[0] == 1
    agree()


def test_sums_outlive_the_turns_of_a_month_that_went() -> None:
    keep([turn()])
    roll_up_all()
    before = ask(TOTALS.format("gateway_rolluphour"))
    RequestLog.objects.all().delete()
    RollupDue.objects.create(hour=NOON.replace(minute=0))
    roll_up_all()
    assert ask(TOTALS.format("gateway_rolluphour")) == before


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_a_day_is_added_up_from_its_hours_and_reads_no_turns_of_those_that_did_not_change(zone: str) -> None:
    RollupZone.objects.get_or_create(name=zone)
    keep([turn(NOON - datetime.timedelta(hours=3)), refused(NOON - datetime.timedelta(hours=3))])
    roll_up_all()
    RequestLog.objects.all().delete()
    keep([turn(), turn(first_ms=4_000)])
    roll_up_all()
    day = RollupDay.objects.filter(zone=zone)
    assert ask(TOTALS.format(f"gateway_rollupday WHERE zone = '{zone}'")) == ask(TOTALS.format("gateway_rolluphour"))
    assert {row.day for row in day} == {NOON.date()}
    assert sum(sum(row.duration_counts) for row in day) == sum(row.requests for row in day) == 4


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
def test_days_are_those_of_the_zone_when_the_clocks_change(zone: str) -> None:
    RollupZone.objects.create(name=zone)
    changes = [datetime.datetime(2026, 10, 25, tzinfo=UTC), datetime.datetime(2026, 11, 1, tzinfo=UTC)]
    keep([turn(change + datetime.timedelta(minutes=30 * n + 7)) for change in changes for n in range(-60, 100)])
    roll_up_all()
    agree()
    local = ZoneInfo(zone)
    counted = Counter[datetime.date]()
    for row in RollupDay.objects.filter(zone=zone):
        counted[row.day] += row.requests
    starts = RequestLog.objects.values_list("started_at", flat=True)
    days = [moment.astimezone(local).date() for moment in starts]
    assert counted == {day: days.count(day) for day in days}


def test_a_day_has_the_hours_its_zone_gives_it() -> None:
    def hours(zone: str, *day: int) -> float:
        first, beyond = bounds_of(LocalDay(zone, datetime.date(*day)))
        return (beyond - first) / datetime.timedelta(hours=1)

    assert hours("Europe/Berlin", 2026, 3, 29) == 23
    assert hours("Europe/Berlin", 2026, 10, 25) == 25
    assert hours("Australia/Lord_Howe", 2026, 4, 5) == 24.5
    assert hours("UTC", 2026, 3, 29) == 24
    assert hours("Africa/Cairo", 2026, 4, 24) == 23, "the clocks skip midnight itself"


@given(
    st.sampled_from(["Europe/Berlin", "America/St_Johns", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Apia"]),
    st.datetimes(datetime.datetime(2005, 1, 1), datetime.datetime(2030, 1, 1), timezones=st.just(UTC)),
)
def test_every_moment_lies_in_exactly_one_day_of_a_zone(zone: str, moment: datetime.datetime) -> None:
    days = set(days_over(zone, moment.replace(minute=0, second=0, microsecond=0)))
    holding = [day for day in days if bounds_of(day)[0] <= moment < bounds_of(day)[1]]
    assert len(holding) == 1


def test_costs_are_computed_again_for_the_range_asked_for_and_the_sums_follow() -> None:
    keep([turn(), turn(NOON - datetime.timedelta(days=2)), turn(model="claude-next")])
    roll_up_all()
    ModelPrice.objects.create(
        model="claude-next", valid_from=datetime.datetime(2026, 1, 1, tzinfo=UTC), input=1, output=1, cache_read=1,
        cache_write=1, cache_write_1h=1, web_search=0,
    )  # fmt: skip
    ModelPrice.objects.filter(model="claude-opus-5-5", tier="standard").update(output=Decimal(2_000))
    done = recompute(since=NOON - datetime.timedelta(days=1))
    assert (done.turns, done.changed) == (2, 2)
    assert ResponseLog.objects.get(request__model="claude-next").cost_usd == Decimal("0.024006")
    assert recompute(since=NOON - datetime.timedelta(days=1)).changed == 0
    roll_up_all()
    agree()


def test_a_recomputation_asked_for_in_the_admin_is_done_once() -> None:
    keep([turn(model="claude-next")])
    CostRun.objects.create(model="claude-next")
    assert run_waiting() == 1
    assert run_waiting() == 0
    run = CostRun.objects.get()
    assert (run.turns, run.changed, run.finished_at is not None) == (1, 0, True)


def test_a_recomputed_openai_turn_keeps_the_tier_and_the_tools_its_answer_named() -> None:
    answer = (
        b'{"object":"response","model":"gpt-6.2-sol","status":"completed","service_tier":"priority",'
        b'"output":[{"type":"web_search_call"}],"usage":{"input_tokens":1000000,"output_tokens":0}}'
    )
    key = keep_one(Sample({"model": "gpt-6.2-sol"}, [answer], NOON, Dialect.RESPONSES, response_headers=JSON))
    assert ResponseLog.objects.get(pk=key).cost_usd == Decimal("8.01")
    assert recompute().changed == 0


JSON = (("content-type", "application/json"),)


def test_percentiles_come_within_a_twentieth_without_rows() -> None:
    chance = random.Random(7)
    keep([turn(first_ms=int(math.exp(chance.uniform(4, 10)))) for _ in range(150)])
    roll_up_all()
    (found,) = read_figures(Span(NOON - datetime.timedelta(days=1), NOON + datetime.timedelta(days=1)))
    counts = found.counts["duration"]
    exact = sorted(ResponseLog.objects.values_list("duration_ms", flat=True))
    assert sum(counts.values()) == len(exact)
    for share in (0.5, 0.9, 0.99):
        true = exact[math.ceil(share * len(exact)) - 1]
        assert percentile(counts, share) == pytest.approx(true, rel=0.05)


def test_no_percentile_of_nothing() -> None:
    assert percentile({}, 0.5) is None


def test_buckets_are_bounded_at_both_ends() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {bucket_sql('0')}, {bucket_sql('1e12')}, {bucket_sql('NULL')}")
        assert cursor.fetchone() == (0, LAST, None)


def test_an_hour_is_a_range_of_ids() -> None:
    assert first_id_at(NOON) < keep_one(turn(NOON)) < first_id_at(NOON + datetime.timedelta(milliseconds=1))
