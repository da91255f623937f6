"""Days, weeks and months by the clocks of a zone, also where these change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.windows import Period, window_at

# Midnights that are left out (Beirut, Havana, Sao Paulo), shown twice (Havana), half hours and a day that never was.
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Beirut", "America/Sao_Paulo",
    "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca",
)  # fmt: skip
SECONDS = st.integers(
    int(datetime(2010, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2037, 1, 1, tzinfo=UTC).timestamp())
)


def seconds(zone: str, *moment: int) -> float:
    return datetime(*moment, tzinfo=ZoneInfo(zone)).timestamp()  # type: ignore[misc, arg-type]


@given(SECONDS, st.sampled_from(ZONES), st.sampled_from(Period))
def test_windows_hold_their_moment_and_leave_no_gap(now: int, zone: str, period: Period) -> None:
    window = window_at(period, zone, now)
    assert window.start <= now < window.end
    assert window_at(period, zone, window.start) == window
    assert window_at(period, zone, window.end - 0.001) == window
    assert window_at(period, zone, window.end).start == window.end
    assert window_at(period, zone, window.start - 0.001).end == window.start


@given(SECONDS, st.sampled_from(ZONES), st.sampled_from(Period))
def test_a_window_begins_with_the_first_moment_of_its_day(now: int, zone: str, period: Period) -> None:
    start = window_at(period, zone, now).start
    clocks = ZoneInfo(zone)
    day, before = datetime.fromtimestamp(start, clocks).date(), datetime.fromtimestamp(start - 1, clocks).date()
    assert before < day
    assert day.weekday() == 0 or period is not Period.WEEKLY or before.weekday() > day.weekday()
    assert day.day == 1 or period is not Period.MONTHLY


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", (2026, 3, 29), 23),
        ("Europe/Berlin", (2026, 10, 25), 25),
        ("America/New_York", (2026, 3, 8), 23),
        ("America/New_York", (2026, 11, 1), 25),
        ("UTC", (2026, 3, 29), 24),
        ("Asia/Beirut", (2026, 3, 29), 23),
        ("Australia/Lord_Howe", (2026, 4, 5), 24.5),
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, day: tuple[int, int, int], hours: float) -> None:
    window = window_at(Period.DAILY, zone, seconds(zone, *day, 12))
    assert (window.end - window.start) / 3600 == hours


def test_the_last_second_before_midnight_is_of_the_day_before() -> None:
    midnight = seconds("Europe/Berlin", 2026, 11, 26)
    assert window_at(Period.DAILY, "Europe/Berlin", midnight - 1).end == midnight
    assert window_at(Period.DAILY, "Europe/Berlin", midnight).start == midnight
    assert window_at(Period.DAILY, "UTC", midnight).start == midnight - timedelta(hours=23).total_seconds()


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    now = seconds("UTC", 2026, 11, 26, 12)
    assert window_at(Period.WEEKLY, "UTC", now) == (seconds("UTC", 2026, 11, 23), seconds("UTC", 2026, 11, 30))
    assert window_at(Period.MONTHLY, "UTC", now) == (seconds("UTC", 2026, 11, 1), seconds("UTC", 2026, 12, 1))
    december = seconds("UTC", 2026, 12, 31, 23, 59, 59)
    assert window_at(Period.MONTHLY, "UTC", december).end == seconds("UTC", 2027, 1, 1)
