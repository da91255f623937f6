"""Who and what spends: sums of the rollups by any dimension, in the time and the zone a person thinks in."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from dashboard.charts import Chart, Series
from dashboard.scope import HOUR, Scope, whole_hours
from gateway.dialects.tokens import total
from gateway.history.figures import TIME, Figures, Span, added_up, read_figures
from gateway.history.prices import read_book
from gateway.history.visibility import Sight
from gateway.models import ApiKey
from gateway.pricing.cost import MILLION
from gateway.pricing.price import Tier

DAY: Final = datetime.timedelta(days=1)
GROUPS: Final = {
    "model": "Model", "team": "Team", "member": "Member", "key": "Key", "provider": "Provider", "client": "Client",
    "status": "Status", "outcome": "Outcome", "time": "Time",
}  # fmt: skip
COLUMNS: Final = {"key": "access_key", "member": "access_key", "time": TIME}
MEASURES: Final = {
    "cost": ("Cost", "cost_usd", "usd"),
    "requests": ("Requests", "requests", "count"),
    "output": ("Tokens out", "output_tokens", "tokens"),
    "cached": ("Tokens from the cache", "cache_read_tokens", "tokens"),
}
SERIES_SHOWN: Final = 7
ROWS_SHOWN: Final = 200
NOBODY: Final = ""
PROMPT_PARTS: Final = ("input_tokens", "cache_read_tokens", "cache_write_tokens")


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """How the sums are told apart; odd values are the usual ones. `zone` is used for whole days."""

    group: str = "model"
    measure: str = "cost"
    zone: str = "UTC"

    @classmethod
    def read(cls, query: Mapping[str, str], known_zones: Sequence[str]) -> UsageQuery:
        group, measure, zone = query.get("group", ""), query.get("measure", ""), query.get("zone", "")
        usual = known_zones[0] if known_zones else "UTC"
        return cls(
            group if group in GROUPS else "model",
            measure if measure in MEASURES else "cost",
            zone if zone in known_zones else usual,
        )

    def pairs(self) -> dict[str, str]:
        usual = UsageQuery()
        return {
            name: getattr(self, name)
            for name in ("group", "measure", "zone")
            if getattr(self, name) != getattr(usual, name)
        }

    @property
    def column(self) -> str:
        return COLUMNS.get(self.group, self.group)


@dataclass(slots=True)
class UsageRow:
    """`narrowed` are the query parameters of the list of its requests; None: there is no such list."""

    value: str
    sums: Mapping[str, Any]
    narrowed: dict[str, str] | None = None
    share: float = 0.0
    time: datetime.date | None = None

    @property
    def prompt_tokens(self) -> int | None:
        """All that went in, from the cache or not; None: nobody told any."""
        return total(*(self.sums[name] for name in PROMPT_PARTS))

    @property
    def cached_percent(self) -> float | None:
        whole, read = self.prompt_tokens, self.sums["cache_read_tokens"]
        return None if not whole or read is None else 100 * read / whole


@dataclass(slots=True)
class Usage:
    """Of one time. `saved_usd` is what the cache saved against a prompt sent anew, at list prices; None: not known."""

    rows: list[UsageRow]
    total: UsageRow | None
    before: UsageRow | None
    chart: Chart
    saved_usd: Decimal | None
    left_out: int = 0
    days: bool = False
    since: datetime.date | None = None
    until: datetime.date | None = None
    notes: list[str] = field(default_factory=list)


def read_usage(query: UsageQuery, scope: Scope, sight: Sight, now: datetime.datetime, address: Any) -> Usage:
    """`address(**changes)` is where the rows of some part of it are listed."""
    span = span_of(query, scope, now)
    only, teams = scope.only(), sight.figures
    groups = [query.column] if query.column == TIME else [TIME, query.column]
    found = read_figures(span, groups, teams=teams, only=only, latencies=())
    owners = read_owners() if query.group == "member" else {}
    named = [(name_of(query, figures, owners), figures) for figures in found]
    rows = grouped(named, query)
    total = added_up(found)
    before = added_up(read_figures(span_before(span), (), teams=teams, only=only, latencies=()))
    whole = UsageRow("", total.sums) if total else None
    for row in rows:
        row.share = share_of(row, whole)
        row.narrowed = narrowed(query, row)
    return Usage(
        rows=rows[:ROWS_SHOWN],
        left_out=max(0, len(rows) - ROWS_SHOWN),
        total=whole,
        before=UsageRow("", before.sums) if before else None,
        chart=draw(query, named, rows, span, address),
        saved_usd=saved(span, sight, only, now),
        days=span.zone is not None,
        since=span.since,
        until=span.until,
    )


def span_of(query: UsageQuery, scope: Scope, now: datetime.datetime) -> Span:
    """Whole hours for two days and less, whole days of the zone for more."""
    since, until = scope.bounds(now)
    if until - since <= 2 * DAY:
        return whole_hours(since, until)
    zone = ZoneInfo(query.zone)
    first, last = since.astimezone(zone).date(), until.astimezone(zone)
    beyond = last.date() if not scope.since or last.time() != datetime.time() else last.date() - DAY
    if not scope.since:
        first += DAY
    return Span(first, beyond + DAY, query.zone)


def span_before(span: Span) -> Span:
    """The stretch of the same length before."""
    length = span.until - span.since  # type: ignore[operator]
    return Span(span.since - length, span.since, span.zone)


def read_owners() -> dict[str, str]:
    """Who owns each key, by name."""
    owned = ApiKey.objects.filter(owner__isnull=False).values_list("name", "owner__username")
    return {str(name): str(owner) for name, owner in owned}


def name_of(query: UsageQuery, figures: Figures, owners: Mapping[str, str]) -> Any:
    value = figures.group[query.column]
    return owners.get(value, NOBODY) if query.group == "member" else value


def grouped(named: Iterable[tuple[Any, Figures]], query: UsageQuery) -> list[UsageRow]:
    """The dearest first; times in their order."""
    parts: dict[Any, list[Figures]] = {}
    for name, figures in named:
        parts.setdefault(name, []).append(figures)
    rows = []
    for name, found in parts.items():
        whole = added_up(found)
        if whole is not None:
            time = name if isinstance(name, datetime.date) else None
            rows.append(UsageRow("" if time else str(name), whole.sums, time=time))
    if query.group == "time":
        return sorted(rows, key=lambda row: row.time, reverse=True)  # type: ignore[arg-type, return-value]
    measure = MEASURES[query.measure][1]
    return sorted(rows, key=lambda row: (-(row.sums[measure] or 0), -row.sums["requests"]))


def share_of(row: UsageRow, whole: UsageRow | None) -> float:
    """Of the cost; of the requests where nothing has a price. In percent."""
    for name in ("cost_usd", "requests"):
        if whole and whole.sums[name]:
            return float(100 * (row.sums[name] or 0) / whole.sums[name])
    return 0.0


def narrowed(query: UsageQuery, row: UsageRow) -> dict[str, str] | None:
    if row.time is not None:
        begin, end = bounds_of(row.time, query.zone)
        return {"since": stamp(begin), "until": stamp(end), "range": ""}
    if not row.value:
        return None
    if query.group in ("model", "team", "key", "provider"):
        return {query.group: row.value}
    name = "user" if query.group == "member" else query.group
    return {"q": f'{name}:"{row.value}"' if " " in row.value else f"{name}:{row.value}"}


def bounds_of(time: datetime.date, zone: str) -> tuple[datetime.datetime, datetime.datetime]:
    """Of an hour, or of a day of the zone."""
    if isinstance(time, datetime.datetime):
        return time, time + HOUR
    place = ZoneInfo(zone)
    begin = datetime.datetime(time.year, time.month, time.day, tzinfo=place)
    after = time + DAY
    return begin, datetime.datetime(after.year, after.month, after.day, tzinfo=place)


def stamp(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%dT%H:%M}"


def times_of(span: Span) -> list[datetime.date]:
    step = HOUR if span.zone is None else DAY
    count = (span.until - span.since) // step  # type: ignore[operator]
    return [span.since + step * at for at in range(count)]


def draw(
    query: UsageQuery, named: Sequence[tuple[Any, Figures]], rows: Sequence[UsageRow], span: Span, address: Any
) -> Chart:
    """Stacked by group: the largest ones, and everything else together."""
    title, measure, unit = MEASURES[query.measure]
    times = times_of(span)
    places = {time: at for at, time in enumerate(times)}
    shown = [row.value for row in rows[:SERIES_SHOWN]] if query.group != "time" else ["All"]
    values: dict[str, list[float | None]] = {name: [None] * len(times) for name in [*shown, "other"]}
    for name, figures in named:
        series = "All" if query.group == "time" else name if name in values else "other"
        amount, at = figures.sums[measure], places.get(figures.group[TIME])
        if amount is not None and at is not None:
            values[series][at] = (values[series][at] or 0) + float(amount)
    kept = [name for name in values if name in shown or any(values[name])]
    zone = span.zone or "UTC"
    return Chart(
        title=f"{title} by {'day' if span.zone else 'hour'}",
        times=[bounds_of(time, zone)[0] for time in times],
        series=[Series(name or "unknown", values[name], "quiet" if name == "other" else "") for name in kept],
        unit=unit,
        links=[
            address(since=stamp(begin), until=stamp(end), range="")
            for begin, end in (bounds_of(time, zone) for time in times)
        ],
    )


def saved(span: Span, sight: Sight, only: Mapping[str, str], now: datetime.datetime) -> Decimal | None:
    """Tokens read from the cache at the price of input less that of reading, less what writing cost more."""
    book = read_book()
    whole: Decimal | None = None
    for figures in read_figures(span, ("provider", "model"), teams=sight.figures, only=only, latencies=()):
        price = book.find(figures.group["model"], figures.group["provider"], Tier.STANDARD, 0, now)
        read, written = figures.sums["cache_read_tokens"], figures.sums["cache_write_tokens"]
        if price is None or price.input is None or price.cache_read is None or read is None:
            continue
        part = read * (price.input - price.cache_read) / MILLION
        if written and price.cache_write is not None:
            part -= written * (price.cache_write - price.input) / MILLION
        whole = part if whole is None else whole + part
    return whole


@dataclass(frozen=True, slots=True)
class MonthForecast:
    """USD. `low` and `high` are what the quietest and the busiest of the last days would make of the rest of the
    month."""

    so_far: Decimal
    expected: Decimal
    low: Decimal
    high: Decimal
    days_left: int


LOOKED_BACK: Final = 7


def forecast_month(zone: str, scope: Scope, sight: Sight, now: datetime.datetime) -> MonthForecast | None:
    """What this month will have cost, if the days to come are like the last ones; None when nothing has a price."""
    today = now.astimezone(ZoneInfo(zone)).date()
    first = today.replace(day=1)
    since = min(first, today - LOOKED_BACK * DAY)
    found = read_figures(Span(since, today + DAY, zone), (TIME,), teams=sight.figures, only=scope.only(), latencies=())
    costs = {figures.group[TIME]: figures.sums["cost_usd"] or Decimal(0) for figures in found}
    so_far = sum((cost for day, cost in costs.items() if day >= first), Decimal(0))
    whole = [costs.get(today - number * DAY, Decimal(0)) for number in range(1, LOOKED_BACK + 1)]
    known = [cost for cost in whole if cost]
    if not so_far and not known:
        return None
    left = days_of_month(first) - today.day
    mean = sum(whole, Decimal(0)) / LOOKED_BACK if known else so_far / today.day
    # Today goes on at the mean, if it has not spent more already.
    rest = max(Decimal(0), mean - costs.get(today, Decimal(0)))
    paces = whole if known else [mean]
    return MonthForecast(
        so_far=so_far,
        expected=so_far + rest + left * mean,
        low=so_far + left * min(paces),
        high=so_far + rest + left * max(paces),
        days_left=left,
    )


def days_of_month(first: datetime.date) -> int:
    return ((first + 31 * DAY).replace(day=1) - first).days


CSV_COLUMNS: Final = (
    "requests", "errors", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "thinking_tokens", "web_searches", "cost_usd", "unpriced", "partial",
)  # fmt: skip


def csv_rows(query: UsageQuery, usage: Usage) -> Iterable[list[str]]:
    """A head, and a row for each group; what is not known is empty, never 0."""
    yield [query.group, *CSV_COLUMNS]
    for row in usage.rows:
        name = str(row.time) if row.time is not None else row.value
        yield [inert(name), *("" if row.sums[key] is None else str(row.sums[key]) for key in CSV_COLUMNS)]


def inert(text: str) -> str:
    """A spreadsheet takes what begins so for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
