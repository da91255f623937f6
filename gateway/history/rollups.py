"""Sums the turns up, by hour of UTC and by day of each time zone, for all hours that were marked.

A bucket is always computed whole from the turns, and replaces what it was: late turns, turns delivered twice, another
price and a run that was killed in the middle are all the same to it. What a run takes away, it takes in the transaction
that puts the new sums in: killed anywhere, either both happened or neither, and the marks that are left say what is
still to be done. A mark is taken before its turns are read (each statement sees what was committed when it began), so
that turns that come meanwhile are either in the sums or have a mark of their own.

Buckets are bounded by ids: a UUIDv7 carries the time of its admission, so that one range of the primary key is one
bucket, and only the partitions it lies in are read.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection, connections, transaction

from gateway.history.id_times import HOUR, first_id_at, hour_of
from gateway.history.latency import bucket_sql
from gateway.history.partitions import month_of
from gateway.history.rollup_marks import MARK
from gateway.models import RollupDay, RollupZone
from gateway.policy.errands import COUNTED

UTC = datetime.UTC
ROLLUP_LOCK = 0x726F6C6C
HOURS_AT_ONCE = 24
DAY = datetime.timedelta(days=1)

DIMENSIONS = ("provider", "model", "access_key", "team", "client", "status", "outcome")
TURNS = f"""
SELECT r.provider, coalesce(r.model, r.routed_model, r.requested_model, '') AS model, r.access_key, r.team, r.client,
       coalesce(r.status_code::text, '') AS status, r.outcome,
       r.outcome <> 'completed' OR r.status_code >= 400 AS failed, r.request_bytes, r.is_streaming,
       s.usage IS NOT NULL AND s.cost_note <> 'not sent on' AS metered,
       s.cost_usd, s.cost_note, s.response_bytes, s.input_tokens, s.output_tokens,
       s.cache_read_tokens, s.cache_write_tokens, s.cache_write_1h_tokens, s.thinking_tokens,
       (s.server_tools->>'web_search')::bigint AS web_searches, s.duration_ms, s.first_byte_ms,
       {bucket_sql("s.duration_ms")} AS duration_bucket,
       {bucket_sql("s.first_byte_ms")} AS first_byte_bucket
FROM gateway_requestlog r JOIN gateway_responselog s ON s.id = r.id
WHERE r.id >= %(first)s AND r.id < %(beyond)s AND s.id >= %(first)s AND s.id < %(beyond)s
  AND r.purpose = ANY(%(purposes)s)
"""  # noqa: S608
SUMS = """
count(*) AS requests, count(*) FILTER (WHERE failed) AS errors, count(*) FILTER (WHERE metered) AS metered,
count(*) FILTER (WHERE metered AND cost_usd IS NULL) AS unpriced,
count(*) FILTER (WHERE cost_usd IS NOT NULL AND cost_note <> '') AS partial,
sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens,
sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(cache_write_tokens)::bigint AS cache_write_tokens,
sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens, sum(thinking_tokens)::bigint AS thinking_tokens,
sum(web_searches)::bigint AS web_searches, sum(cost_usd) AS cost_usd, sum(request_bytes)::bigint AS request_bytes,
coalesce(sum(response_bytes), 0)::bigint AS response_bytes,
(sum(output_tokens) FILTER (WHERE paced))::bigint AS streamed_tokens,
sum(duration_ms - first_byte_ms) FILTER (WHERE paced) AS streaming_ms
"""
DIMENSION_LIST = ", ".join(DIMENSIONS)
SUM_COLUMNS = (
    "requests", "errors", "metered", "unpriced", "partial", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "cache_write_1h_tokens", "thinking_tokens", "web_searches", "cost_usd", "request_bytes",
    "response_bytes", "streamed_tokens", "streaming_ms",
)  # fmt: skip
HISTOGRAM = """
SELECT part, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(number ORDER BY bucket) AS counts
FROM (SELECT part, {name} AS bucket, count(*) AS number FROM turns WHERE {name} IS NOT NULL GROUP BY 1, 2) AS counted
GROUP BY part
"""
INSERT = f"""
WITH read AS ({TURNS}),
turns AS (
    SELECT *, dense_rank() OVER (ORDER BY {DIMENSION_LIST}) AS part,
           is_streaming AND output_tokens > 0 AND duration_ms > first_byte_ms AS paced
    FROM read
),
sums AS (SELECT part, {DIMENSION_LIST}, {SUMS} FROM turns GROUP BY part, {DIMENSION_LIST}),
durations AS ({HISTOGRAM.format(name="duration_bucket")}),
first_bytes AS ({HISTOGRAM.format(name="first_byte_bucket")})
INSERT INTO {{table}} ({{keys}}, {DIMENSION_LIST}, {", ".join(SUM_COLUMNS)},
    duration_buckets, duration_counts, first_byte_buckets, first_byte_counts)
SELECT {{values}}, {DIMENSION_LIST}, {", ".join(SUM_COLUMNS)},
    coalesce(durations.buckets, '{{{{}}}}'), coalesce(durations.counts, '{{{{}}}}'),
    coalesce(first_bytes.buckets, '{{{{}}}}'), coalesce(first_bytes.counts, '{{{{}}}}')
FROM sums LEFT JOIN durations USING (part) LEFT JOIN first_bytes USING (part)
"""  # noqa: S608
INSERT_HOUR = INSERT.format(table="gateway_rolluphour", keys="hour", values="%(hour)s::timestamptz")
INSERT_DAY = INSERT.format(table="gateway_rollupday", keys="zone, day", values="%(zone)s, %(day)s::date")
TAKE_MARKS = """
WITH chosen AS (SELECT DISTINCT hour FROM gateway_rollupdue ORDER BY hour DESC LIMIT %(most)s),
taken AS (DELETE FROM gateway_rollupdue AS due USING chosen WHERE due.hour = chosen.hour RETURNING due.hour)
SELECT DISTINCT hour FROM taken ORDER BY hour
"""
WHOLE = """
SELECT EXISTS (SELECT 1 FROM gateway_requestlog WHERE id >= %(first)s AND id < %(beyond)s)
AND NOT EXISTS (SELECT 1 FROM gateway_droppedmonth WHERE month BETWEEN %(since)s AND %(until)s)
"""

# PostgreSQL 15 knows no min() of uuids.
FIRST_AND_LAST = """
(SELECT id FROM gateway_requestlog ORDER BY id LIMIT 1)
UNION ALL (SELECT id FROM gateway_requestlog ORDER BY id DESC LIMIT 1)
"""


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
        cursor.execute(TAKE_MARKS, {"most": most_hours})
        hours = [row[0] for row in cursor.fetchall()]
        for hour in hours:
            sum_hour(cursor, hour)
        for day in days_of(hours, zones()):
            sum_day(cursor, day)
        return len(hours)


def roll_up_all() -> int | None:
    """Until no mark is left; None when another process is at it."""
    done = 0
    while (hours := roll_up()) != 0:
        if hours is None:
            return None
        done += hours
    return done


def sum_hour(cursor: Any, hour: datetime.datetime) -> None:
    bounds = id_bounds(hour, hour + HOUR)
    if has_all_turns(cursor, bounds):
        cursor.execute("DELETE FROM gateway_rolluphour WHERE hour = %s", [hour])
        cursor.execute(INSERT_HOUR, bounds | {"hour": hour})


def sum_day(cursor: Any, day: LocalDay) -> None:
    bounds = id_bounds(*bounds_of(day))
    if has_all_turns(cursor, bounds):
        cursor.execute("DELETE FROM gateway_rollupday WHERE zone = %s AND day = %s", list(day))
        cursor.execute(INSERT_DAY, bounds | day._asdict())


def has_all_turns(cursor: Any, bounds: dict[str, Any]) -> bool:
    """Sums outlive their turns: what was summed up stays where none are left, and where only those are that a legal
    hold kept of a month that went, or those of a local day's other month."""
    last = uuid.UUID(int=bounds["beyond"].int - 1)
    cursor.execute(WHOLE, bounds | {"since": month_of(bounds["first"].bytes), "until": month_of(last.bytes)})
    return bool(cursor.fetchone()[0])


def id_bounds(start: datetime.datetime, end: datetime.datetime) -> dict[str, Any]:
    return {"first": first_id_at(start), "beyond": first_id_at(end), "purposes": list(COUNTED)}


def mark_range(since: datetime.datetime | None = None, until: datetime.datetime | None = None) -> int:
    """Mark every hour with a turn in it to be summed up again, but for months that went; how many."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_AND_LAST)
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return 0
        start, end = hour_of(min(ids)), hour_of(max(ids)) + HOUR
        start = start if since is None else max(start, since.replace(minute=0, second=0, microsecond=0))
        end = end if until is None else min(end, until)
        marked = 0
        while start < end:
            if has_all_turns(cursor, id_bounds(start, start + HOUR)):
                cursor.execute(MARK, [[start]])
                marked += 1
            start += HOUR
        return marked


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


def midnight(day: datetime.date, local: ZoneInfo) -> datetime.datetime:
    """Where the clocks skip midnight the day begins when they do: what `fold=0` makes of it."""
    return datetime.datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)


def make_default_zone(using: str, **signal: Any) -> None:
    """After each migrate: days are summed up in one zone at least."""
    if RollupZone._meta.db_table not in connections[using].introspection.table_names():
        return  # migrated back to nothing
    if not RollupZone.objects.using(using).exists():
        RollupZone.objects.using(using).create(name="UTC")
