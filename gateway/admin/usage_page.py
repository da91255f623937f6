"""The page of numbers: requests, tokens, money and times, out of the sums by hour and day."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from gateway.history.figures import TIME, Figures, Span, added_up, read_figures
from gateway.history.rollups import DIMENSIONS, zones
from gateway.history.visibility import Sight
from gateway.pricing.money import dollars

SPANS = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
GROUPS = {name: name.replace("access_", "").replace("_", " ") for name in DIMENSIONS}
ROWS_SHOWN = 100
WIDTH, HEIGHT = 1000, 80
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
LISTED = {"model": "model", "client": "client", "status": "status", "outcome": "outcome"}
"""Which of them the list of requests can be narrowed by, and under what name."""


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """What the page's address asks for; odd values are the usual ones."""

    span: str = "24h"
    group: str = "model"
    zone: str = "UTC"

    @classmethod
    def read(cls, query: Mapping[str, str], known_zones: Sequence[str]) -> UsageQuery:
        span, group, zone = query.get("span", ""), query.get("group", ""), query.get("zone", "")
        usual = known_zones[0] if known_zones else "UTC"
        return cls(
            span if span in SPANS else "24h",
            group if group in GROUPS else "model",
            zone if zone in known_zones else usual,
        )

    def bounds(self, now: datetime.datetime) -> Span:
        """Whole hours up to the present one, or whole days up to today, by the zone's clocks."""
        if self.span == "24h":
            beyond = now.replace(minute=0, second=0, microsecond=0) + HOUR
            return Span(beyond - DAY, beyond)
        beyond_day = now.astimezone(ZoneInfo(self.zone)).date() + DAY
        return Span(beyond_day - int(self.span.removesuffix("d")) * DAY, beyond_day, self.zone)

    def address(self, **changed: str) -> str:
        return "?" + urlencode({"span": self.span, "group": self.group, "zone": self.zone} | changed)


class Bar(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    title: str


def read_usage_page(
    query: UsageQuery, known_zones: Sequence[str], sight: Sight, now: datetime.datetime
) -> dict[str, Any]:
    """The template's context."""
    span = query.bounds(now)
    teams = sight.figures
    rows = read_figures(span, (query.group,), teams=teams)
    rows.sort(key=lambda row: (row.sums["cost_usd"] is None, -(row.sums["cost_usd"] or 0), -row.sums["requests"]))
    total = added_up(rows)
    return {
        "title": "Usage",
        "query": query,
        "spans": [(title, query.address(span=name), name == query.span) for name, title in SPANS.items()],
        "groups": [(title, query.address(group=name), name == query.group) for name, title in GROUPS.items()],
        "zones": [(name, query.address(zone=name), name == query.zone) for name in known_zones],
        "by_day": span.zone is not None,
        "total": row_of(total, "") if total else None,
        "rows": [row_of(row, query.group) for row in rows[:ROWS_SHOWN]],
        "left_out": max(0, len(rows) - ROWS_SHOWN),
        "group_title": GROUPS[query.group],
        "bars": draw_bars(span, read_figures(span, (TIME,), teams=teams, latencies=False)),
    }


def row_of(figures: Figures, group: str) -> dict[str, Any]:
    """`value` is what the row is about, `link` the list of its requests where there is one."""
    value = figures.group.get(group, "")
    link = urlencode({LISTED[group]: value}) if value and group in LISTED else ""
    return {**figures.values(), "value": value, "link": link}


def draw_bars(span: Span, found: Sequence[Figures]) -> list[Bar]:
    """What was spent in each hour or day; requests where nothing has a price."""
    priced = any(row.sums["cost_usd"] for row in found)
    amounts = {row.group[TIME]: float(row.sums["cost_usd" if priced else "requests"] or 0) for row in found}
    step = HOUR if span.zone is None else DAY
    count = max(1, (span.until - span.since) // step)  # type: ignore[operator]
    highest = max(amounts.values(), default=0.0) or 1.0
    width = WIDTH / count
    bars = []
    for row in found:
        at = row.group[TIME]
        height = HEIGHT * amounts[at] / highest
        title = f"{label(at)}: {row.sums['requests']:,} requests, {dollars(row.sums['cost_usd']) or 'unknown'} USD"
        bars.append(Bar(((at - span.since) // step) * width, HEIGHT - height, width * 0.85, height, title))
    return bars


def label(at: datetime.date) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if isinstance(at, datetime.datetime) else f"{at:%Y-%m-%d}"


def page_of_usage(query: Mapping[str, str], sight: Sight, now: datetime.datetime) -> dict[str, Any]:
    known = zones()
    return read_usage_page(UsageQuery.read(query, known), known, sight, now)
