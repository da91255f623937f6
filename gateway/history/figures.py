"""Numbers for pages and commands, out of the sums by hour and day: no turn is read for them."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from gateway.history.latency import mean, percentile
from gateway.history.rollup_sums import DIMENSIONS, SUM_COLUMNS

TIME = "time"
"""The name of the hour or day among what is told apart."""
GROUPS = (TIME, *DIMENSIONS)
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
HISTOGRAMS = ("duration", "first_byte")
HOURS = ("gateway_rolluphour", "hour", "hour >= %(since)s AND hour < %(until)s")
DAYS = ("gateway_rollupday", "day", "zone = %(zone)s AND day >= %(since)s AND day < %(until)s")
NOT_IN_OVERALL = frozenset({"access_key", "client"})
OVERALL = {"gateway_rolluphour": "gateway_overallhour", "gateway_rollupday": "gateway_overallday"}


@dataclass(frozen=True, slots=True)
class Span:
    """Hours from `since` until before `until`, datetimes; or days of a time zone likewise, dates."""

    since: datetime.datetime | datetime.date
    until: datetime.datetime | datetime.date
    zone: str | None = None


@dataclass(slots=True)
class Figures:
    """The sums of one group. `counts` are latencies by name and bucket."""

    group: dict[str, Any]
    sums: dict[str, Any]
    counts: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def latency(self, name: str, share: float) -> float | None:
        """Milliseconds; `name` is `duration` or `first_byte`."""
        return percentile(self.counts[name], share)

    @property
    def tokens_per_second(self) -> float | None:
        """Over all streams whose pace is known."""
        tokens, milliseconds = self.sums["streamed_tokens"], self.sums["streaming_ms"]
        return tokens * 1_000 / milliseconds if tokens and milliseconds else None

    def values(self) -> dict[str, Any]:
        """The sums, percentiles in milliseconds, and the pace."""
        found = dict(self.sums)
        for name in HISTOGRAMS:
            for label, share in SHARES.items():
                value = self.latency(name, share)
                found[f"{name}_{label}_ms"] = None if value is None else round(value, 1)
        pace = self.tokens_per_second
        return found | {"tokens_per_second": None if pace is None else round(pace, 1)}


def read_figures(
    span: Span,
    group: Sequence[str] = (),
    *,
    teams: Iterable[str] | None = None,
    only: Mapping[str, str] | None = None,
    latencies: Sequence[str] = HISTOGRAMS,
) -> list[Figures]:
    """One for each combination of what `group` names (of GROUPS). `teams`: only of these; None: of all. `only`: the
    value a dimension must have. `latencies`: which are wanted, of HISTOGRAMS; without any it takes a tenth of the time.
    Raises KeyError for a name there is not."""
    column = HOURS[1] if span.zone is None else DAYS[1]
    names = [column if name == TIME else GROUPS[GROUPS.index(name)] for name in checked(group)]
    picked, values = picked_rows(span, teams, only, names)
    found = {key: Figures(dict(zip(group, key, strict=True)), sums) for key, sums in read_sums(names, picked, values)}
    for key, name, counts in read_counts(names, picked, values, latencies) if latencies else ():
        found[key].counts[name] = counts
    return list(found.values())


def read_mean(
    span: Span, name: str, *, teams: Iterable[str] | None = None, only: Mapping[str, str] | None = None
) -> float | None:
    """Milliseconds of the latency `name` (of HISTOGRAMS), over everything in the span; None without any."""
    picked, values = picked_rows(span, teams, only)
    column = HISTOGRAMS[HISTOGRAMS.index(name)]
    unrolled = f"SELECT unnest({column}_buckets) AS bucket, unnest({column}_counts)::int4 AS number {picked}"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT bucket, sum(number) FROM ({unrolled}) AS unrolled GROUP BY bucket", values)  # noqa: S608
        # What pads the shorter of two arrays has no bucket.
        return mean({bucket: int(number) for bucket, number in cursor.fetchall() if bucket is not None})


def picked_rows(
    span: Span, teams: Iterable[str] | None, only: Mapping[str, str] | None, names: Iterable[str] = ()
) -> tuple[str, dict[str, Any]]:
    """The FROM and WHERE of a question, and its values; `names` is what it tells apart."""
    table, _, where = HOURS if span.zone is None else DAYS
    if NOT_IN_OVERALL.isdisjoint([*names, *(only or {})]):
        table = OVERALL[table]
    values: dict[str, Any] = {"since": span.since, "until": span.until, "zone": span.zone}
    for name in checked((only or {}).keys()):
        where += f" AND {name} = %(only_{name})s"
        values[f"only_{name}"] = (only or {})[name]
    if teams is not None:
        where += " AND team = ANY(%(teams)s)"
        values["teams"] = sorted(teams)
    return f"FROM {table} WHERE {where}", values


def added_up(parts: Iterable[Figures]) -> Figures | None:
    """All of them together; None of none."""
    whole: Figures | None = None
    for part in parts:
        if whole is None:
            whole = Figures({}, dict.fromkeys(SUM_COLUMNS))
        for name, value in part.sums.items():
            if value is not None:
                known = whole.sums[name]
                whole.sums[name] = value if known is None else known + value
        for name, counts in part.counts.items():
            for bucket, number in counts.items():
                whole.counts[name][bucket] = whole.counts[name].get(bucket, 0) + number
    return whole


def checked(names: Iterable[str], known: Sequence[str] = GROUPS) -> list[str]:
    wanted = list(names)
    for name in wanted:
        if name not in known:
            raise KeyError(name)
    return wanted


def read_sums(
    names: list[str], picked: str, values: dict[str, Any]
) -> Iterable[tuple[tuple[Any, ...], dict[str, Any]]]:
    sums = ", ".join(f"sum({column}) AS {column}" for column in SUM_COLUMNS)
    by = f"GROUP BY {', '.join(names)} ORDER BY {', '.join(names)}" if names else "HAVING count(*) > 0"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join([*names, sums])} {picked} {by}", values)
        for row in cursor.fetchall():
            whole = [as_number(name, value) for name, value in zip(SUM_COLUMNS, row[len(names) :], strict=True)]
            yield row[: len(names)], dict(zip(SUM_COLUMNS, whole, strict=True))


def read_counts(
    names: list[str], picked: str, values: dict[str, Any], latencies: Sequence[str]
) -> Iterable[tuple[tuple[Any, ...], str, dict[int, int]]]:
    """(group, name, how many by bucket). The histograms in one pass: the arrays are unrolled side by side, and come as
    an object for each group, because rows by the ten thousand take their time to be read."""
    wanted = checked(latencies, HISTOGRAMS)
    unrolled = ", ".join(
        f"unnest({name}_buckets) AS {name}, unnest({name}_counts)::int4 AS {name}_number" for name in wanted
    )
    sets = ", ".join(f"({', '.join([*names, name])})" for name in wanted)
    numbers = ", ".join(f"sum({name}_number) AS {name}_number" for name in wanted)
    rows = f"SELECT {', '.join([*names, unrolled])} {picked}"
    summed = f"SELECT {', '.join([*names, *wanted, numbers])} FROM ({rows}) AS unrolled GROUP BY GROUPING SETS ({sets})"  # noqa: S608
    # In the set of one histogram the other's bucket is NULL, and so is that of padding.
    objects = (f"json_object_agg({name}, {name}_number) FILTER (WHERE {name} IS NOT NULL)" for name in wanted)
    by = f"GROUP BY {', '.join(names)}" if names else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join([*names, *objects])} FROM ({summed}) AS summed {by}", values)  # noqa: S608
        for row in cursor.fetchall():
            for name, counts in zip(wanted, row[len(names) :], strict=True):
                if counts is not None:
                    yield row[: len(names)], name, {int(bucket): number for bucket, number in counts.items()}


def as_number(name: str, value: Any) -> Any:
    """PostgreSQL sums big integers as numerics."""
    return value if value is None or name in ("cost_usd", "streaming_ms") else int(value)


def plain(value: Any) -> Any:
    """A value as JSON has it: money as text, exactly."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value if value is None or isinstance(value, int | float | str) else f"{value:f}"
