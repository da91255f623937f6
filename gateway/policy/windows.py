"""The span of time a budget is counted over: a day, a week, a month, by the clocks of a named time zone.

A day begins at its first instant and ends where the next one begins, so that it has 23 or 25 hours when the clocks
change, and a midnight the clocks leave out or show twice is none the less one moment.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


class Period(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    """From Monday."""
    MONTHLY = "monthly"


class Window(NamedTuple):
    """Unix seconds; `end` is the beginning of the next one."""

    start: float
    end: float


def window_at(period: Period, zone: str, now: float) -> Window:
    """The window that `now` (Unix seconds) lies in; `zone` is an IANA name that exists."""
    clocks = ZoneInfo(zone)
    first = first_day(period, datetime.fromtimestamp(now, clocks).date())
    return Window(beginning(first, clocks), beginning(day_after(period, first), clocks))


def first_day(period: Period, day: date) -> date:
    if period is Period.WEEKLY:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period is Period.MONTHLY else day


def day_after(period: Period, first: date) -> date:
    """The first day of the period after the one that begins on `first`."""
    if period is Period.MONTHLY:
        return (first + timedelta(days=31)).replace(day=1)
    return first + (timedelta(days=7) if period is Period.WEEKLY else DAY)


def beginning(day: date, clocks: ZoneInfo) -> float:
    """Its first instant. Of a midnight shown twice that is the first; one left out is where the clocks go on."""
    return datetime.combine(day, time.min, clocks).timestamp()
