"""Sums the turns up, by hour of UTC and by day of each time zone, for all hours that were marked.

An hour is always computed whole from the turns, a day whole from its hours, and replaces what it was: late turns, turns
delivered twice, another price and a run that was killed in the middle are all the same to it. What a run takes away, it
takes in the transaction that puts the new sums in: killed anywhere, either both happened or neither, and the marks that
are left say what is still to be done. A mark is taken before its turns are read (each statement sees what was committed
when it began), so that turns that come meanwhile are either in the sums or have a mark of their own.

In zones whose midnight falls into an hour of UTC, a day has parts of two hours besides; those are computed from turns.
So what a run reads is as much as the hours that changed hold, however long the day is already.

Buckets are bounded by ids: a UUIDv7 carries the time of its admission, so that one range of the primary key is one
bucket, and only the partitions it lies in are read.

Sums outlive their turns. Whoever removes single turns leaves their sums behind in the same transaction
(`keep_removed`), and a bucket is those and its turns, read by one statement, so that a turn that is just being removed
counts once. A month that goes whole is summed up before it goes (`sum_month`), and never again.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection, connections, transaction

from gateway.history.id_times import HOUR, first_id_at, hour_of
from gateway.history.partitions import month_of, next_month
from gateway.history.rollup_marks import MARK
from gateway.history.rollup_sums import INSERT_DAY_OF_HOURS, INSERT_DAY_OF_TURNS, INSERT_HOUR, INSERT_REMOVED
from gateway.models import RollupDay, RollupZone
from gateway.policy.errands import COUNTED

UTC = datetime.UTC
ROLLUP_LOCK = 0x726F6C6C
HOURS_AT_ONCE = 24
HOURS_OF_A_MONTH = 31 * 24
DAY = datetime.timedelta(days=1)

TAKE_MARKS = """
WITH chosen AS (
    SELECT DISTINCT hour FROM gateway_rollupdue WHERE hour >= %(since)s AND hour < %(until)s
    ORDER BY hour DESC LIMIT %(most)s
),
taken AS (DELETE FROM gateway_rollupdue AS due USING chosen WHERE due.hour = chosen.hour RETURNING due.hour)
SELECT DISTINCT hour FROM taken ORDER BY hour
"""
WHOLE = """
SELECT (EXISTS (SELECT 1 FROM gateway_requestlog WHERE id >= %(first)s AND id < %(beyond)s)
     OR EXISTS (SELECT 1 FROM gateway_rollupremoved WHERE quarter >= %(start)s AND quarter < %(end)s))
AND NOT EXISTS (SELECT 1 FROM gateway_droppedmonth WHERE month BETWEEN %(since)s AND %(until)s)
"""

# PostgreSQL 15 knows no min() of uuids.
FIRST_AND_LAST = """
(SELECT id FROM gateway_requestlog ORDER BY id LIMIT 1)
UNION ALL (SELECT id FROM gateway_requestlog ORDER BY id DESC LIMIT 1)
"""
REMOVED_FROM_TO = "SELECT min(quarter), max(quarter) FROM gateway_rollupremoved"


class MarkedRange(NamedTuple):
    """The latest `most` marked hours in [since, until)."""

    since: datetime.datetime = datetime.datetime.min.replace(tzinfo=UTC)
    until: datetime.datetime = datetime.datetime.max.replace(tzinfo=UTC)
    most: int = 0


class LocalDay(NamedTuple):
    zone: str
    day: datetime.date


def roll_up(most_hours: int = HOURS_AT_ONCE) -> int | None:
    """Sum up again up to `most_hours` marked hours, the latest first, in one transaction. How many there were; None
    when another process is at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ROLLUP_LOCK])
        if not cursor.fetchone()[0]:
            return None
        return sum_marked(cursor, MarkedRange(most=most_hours))


def roll_up_all() -> int | None:
    """Until no mark is left; None when another process is at it."""
    done = 0
    while (hours := roll_up()) != 0:
        if hours is None:
            return None
        done += hours
    return done


def sum_marked(cursor: Any, wanted: MarkedRange) -> int:
    """How many hours there were. Only for who holds ROLLUP_LOCK."""
    cursor.execute(TAKE_MARKS, wanted._asdict())
    hours = [row[0] for row in cursor.fetchall()]
    for hour in hours:
        sum_hour(cursor, hour)
    for day in days_of(hours, zones()):
        sum_day(cursor, day)
    return len(hours)


def sum_month(cursor: Any, month: datetime.date) -> None:
    """Before a month goes: what is marked in it, for the last time. Only for who holds ROLLUP_LOCK."""
    since, until = (datetime.datetime.combine(day, datetime.time(), UTC) for day in (month, next_month(month)))
    sum_marked(cursor, MarkedRange(since, until, HOURS_OF_A_MONTH))
    cursor.execute("DELETE FROM gateway_rollupremoved WHERE quarter >= %s AND quarter < %s", [since, until])


def keep_removed(cursor: Any, ids: Sequence[uuid.UUID]) -> None:
    """Leave the sums of these turns behind; in the transaction that removes them, and before that. `ids` are rows that
    are there and locked, in rising order."""
    if ids:
        values = {"first": ids[0], "beyond": uuid.UUID(int=ids[-1].int + 1), "ids": list(ids)}
        cursor.execute(INSERT_REMOVED, values | {"purposes": list(COUNTED)})


def sum_hour(cursor: Any, hour: datetime.datetime) -> None:
    bounds = id_bounds(hour, hour + HOUR)
    if has_all_turns(cursor, bounds):
        cursor.execute("DELETE FROM gateway_rolluphour WHERE hour = %s", [hour])
        cursor.execute(INSERT_HOUR, bounds | {"hour": hour})


def sum_day(cursor: Any, day: LocalDay) -> None:
    """Its hours are summed up already."""
    start, end = bounds_of(day)
    first, beyond = hour_from(start), end.replace(minute=0)
    parts = [id_bounds(*part) for part in ((start, first), (beyond, end)) if part[0] < part[1]]
    if parts and not has_all_turns(cursor, id_bounds(start, end)):
        return
    keys = day._asdict()
    cursor.execute("DELETE FROM gateway_rollupday WHERE zone = %s AND day = %s", list(day))
    cursor.execute(INSERT_DAY_OF_HOURS, keys | {"first_hour": first, "beyond_hour": beyond})
    for part in parts:
        cursor.execute(INSERT_DAY_OF_TURNS, keys | part)


def has_all_turns(cursor: Any, bounds: dict[str, Any]) -> bool:
    """Or, of those that were removed, the sums. What was summed up stays where nothing is left, and where only those
    turns are that a legal hold kept of a month that went, or those of a local day's other month."""
    last = uuid.UUID(int=bounds["beyond"].int - 1)
    cursor.execute(WHOLE, bounds | {"since": month_of(bounds["first"].bytes), "until": month_of(last.bytes)})
    return bool(cursor.fetchone()[0])


def id_bounds(start: datetime.datetime, end: datetime.datetime) -> dict[str, Any]:
    ids = {"first": first_id_at(start), "beyond": first_id_at(end)}
    return {**ids, "start": start, "end": end, "purposes": list(COUNTED)}


def mark_range(since: datetime.datetime | None = None, until: datetime.datetime | None = None) -> int:
    """Mark every hour with a turn in it to be summed up again, but for months that went; how many."""
    with connection.cursor() as cursor:
        hours = first_and_last_hour(cursor)
        if hours is None:
            return 0
        start, end = hours[0], hours[1] + HOUR
        start = start if since is None else max(start, since.replace(minute=0, second=0, microsecond=0))
        end = end if until is None else min(end, until)
        marked = 0
        while start < end:
            if has_all_turns(cursor, id_bounds(start, start + HOUR)):
                cursor.execute(MARK, [[start]])
                marked += 1
            start += HOUR
        return marked


def first_and_last_hour(cursor: Any) -> tuple[datetime.datetime, datetime.datetime] | None:
    """With turns that are there or were removed; None when there never were any."""
    cursor.execute(FIRST_AND_LAST)
    hours = [hour_of(row[0]) for row in cursor.fetchall()]
    cursor.execute(REMOVED_FROM_TO)
    hours += [quarter.replace(minute=0) for quarter in cursor.fetchone() if quarter is not None]
    return (min(hours), max(hours)) if hours else None


def forget_zone(name: str) -> None:
    """Its days go; the hours stay, and the days of others."""
    RollupDay.objects.filter(zone=name).delete()


def zones() -> list[str]:
    return list(RollupZone.objects.values_list("name", flat=True))


def days_of(hours: Iterable[datetime.datetime], names: Iterable[str]) -> list[LocalDay]:
    """The days of all zones that these hours of UTC reach into."""
    wanted = list(hours)
    return sorted({day for name in names for hour in wanted for day in days_over(name, hour)})


def days_over(zone: str, hour: datetime.datetime) -> Iterator[LocalDay]:
    """One day, or two where a zone's midnight falls into the hour."""
    local = ZoneInfo(zone)
    yield LocalDay(zone, hour.astimezone(local).date())
    yield LocalDay(zone, (hour + HOUR - datetime.timedelta(microseconds=1)).astimezone(local).date())


def bounds_of(day: LocalDay) -> tuple[datetime.datetime, datetime.datetime]:
    """From midnight to midnight by the zone's clocks, in UTC: 23 hours long, or 25, when they change."""
    local = ZoneInfo(day.zone)
    return midnight(day.day, local), midnight(day.day + DAY, local)


def hour_from(moment: datetime.datetime) -> datetime.datetime:
    """The first full hour of UTC that does not begin before it."""
    begun = moment.replace(minute=0)
    return begun if begun == moment else begun + HOUR


def midnight(day: datetime.date, local: ZoneInfo) -> datetime.datetime:
    """Where the clocks skip midnight the day begins when they do: what `fold=0` makes of it."""
    return datetime.datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)


def make_default_zone(using: str, **signal: Any) -> None:
    """After each migrate: days are summed up in one zone at least."""
    if RollupZone._meta.db_table not in connections[using].introspection.table_names():
        return  # migrated back to nothing
    if not RollupZone.objects.using(using).exists():
        RollupZone.objects.using(using).create(name="UTC")
