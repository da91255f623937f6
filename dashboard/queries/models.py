"""Is a model slow today: percentiles, pace and errors by model and provider, beside the stretch before."""

from __future__ import annotations

import bisect
import datetime
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from dashboard.charts import Chart, Series
from dashboard.comparing import Against
from dashboard.queries.usage import PROMPT_PARTS, bounds_of, stamp, times_of
from dashboard.scope import Scope, whole_hours
from gateway.dialects.tokens import total
from gateway.history.figures import TIME, Figures, Span, added_up, read_figures
from gateway.history.latency import PER_OCTAVE
from gateway.history.visibility import Sight

ANSWERS_LOOKED_AT: Final = 1_000
"""How many of the newest tell why answers ended and how large prompts were: no sum has that."""
PROMPT_BINS: Final = (10_000, 25_000, 50_000, 100_000, 200_000, 500_000)
"""Tokens below which a prompt counts to each; the last has the rest."""
MEASURES: Final = {"first_byte": "First byte", "duration": "Whole answer"}
SHARES: Final = (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
ROWS_SHOWN: Final = 60
STOPS_SHOWN: Final = 8
BINS_SHOWN: Final = 60
DAY: Final = datetime.timedelta(days=1)
LONGEST_BY_HOUR: Final = 8 * DAY
LOWEST_OCTAVE, HIGHEST_OCTAVE = 6, 18
"""Of the heat map: 64 ms and below, 262 s and above."""
OCTAVES: Final = HIGHEST_OCTAVE - LOWEST_OCTAVE + 1


@dataclass(frozen=True, slots=True)
class ModelRow:
    """Milliseconds; `before` is what p95 was in the stretch before. None: not known."""

    model: str
    provider: str
    sums: Mapping[str, Any]
    first_byte: Mapping[str, float | None]
    duration: Mapping[str, float | None]
    pace: float | None
    before: float | None
    statuses: Sequence[tuple[str, int]] = ()

    @property
    def error_share(self) -> float | None:
        return self.sums["errors"] / self.sums["requests"] if self.sums["requests"] else None

    @property
    def change(self) -> float | None:
        """Of the 95th percentile of the first byte, against the stretch before; 1.0 is twice as slow."""
        now = self.first_byte["p95"]
        return now / self.before - 1 if now is not None and self.before else None

    @property
    def change_tone(self) -> str:
        if self.change is None or abs(self.change) < 0.15:
            return "quiet"
        return "bad" if self.change > 0 else "good"


class Cell(NamedTuple):
    """`heat` from 1 to 5; a cell without requests is not there."""

    x: float
    y: float
    width: float
    height: float
    heat: int
    title: str
    link: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Times to the right, latency upwards."""

    cells: Sequence[Cell]
    labels: Sequence[str]
    """From the top."""
    height: int
    since: datetime.datetime
    until: datetime.datetime
    words: str

    @property
    def shapes(self) -> SafeString:
        """The cells as SVG: there are hundreds, and a template takes as long for them as the database for all of their
        numbers."""
        return format_html_join(
            "",
            '<a href="{}" tabindex="-1"><rect class="su-heat-{}" x="{}" y="{}" width="{}" height="{}">'
            "<title>{}</title></rect></a>",
            ((cell.link, cell.heat, *(f"{value:.2f}" for value in cell[:4]), cell.title) for cell in self.cells),
        )


WIDTH: Final = 1000
ROW_HEIGHT: Final = 14


def read_models(
    measure: str, scope: Scope, zone: str, sight: Sight, now: datetime.datetime, address: Any, against: Against
) -> dict[str, Any]:
    """`zone` is that of days; `address(**changes)` is where the requests of some part are listed."""
    span, earlier = span_of(*scope.bounds(now), zone), span_of(*against.bounds(scope, now), zone)
    teams, only = sight.figures, scope.only()
    found = read_figures(span, ("model", "provider"), teams=teams, only=only)
    before = {
        key_of(figures): figures
        for figures in read_figures(earlier, ("model", "provider"), teams=teams, only=only, latencies=("first_byte",))
    }
    statuses = by_status(span, teams, only)
    rows = [row_of(figures, before.get(key_of(figures)), statuses.get(key_of(figures), [])) for figures in found]
    rows.sort(key=lambda row: -row.sums["requests"])
    bins = Bins.over(span, read_figures(span, (TIME,), teams=teams, only=only))
    whole = added_up(found)
    return {
        "rows": rows[:ROWS_SHOWN],
        "left_out": max(0, len(rows) - ROWS_SHOWN),
        "total": row_of(whole, added_up(before.values()), []) if whole else None,
        "chart": draw(measure, bins, address),
        "pace_chart": draw_pace(bins, address),
        "heat": heat_map(measure, bins, address),
        "measure": measure,
        "measures": MEASURES,
    } | of_newest(scope, sight)


class PromptBin(NamedTuple):
    """Prompts from `low` to below `high` tokens, cached ones counted; None: without a bound. `first_byte_ms`: the
    median of those whose answer began."""

    low: int
    high: int | None
    number: int
    share: float
    first_byte_ms: float | None


def of_newest(scope: Scope, sight: Sight) -> dict[str, Any]:
    """Why the newest answers ended, the most frequent first, each with its share; and how large their prompts were."""
    names = ("stop_reason", "first_byte_ms", *PROMPT_PARTS)
    rows = scope.rows(sight).order_by("-id").values_list(*(f"response__{name}" for name in names))
    found = list(rows[:ANSWERS_LOOKED_AT])
    stops = Counter(stop for stop, *_ in found if stop)
    whole = sum(stops.values())
    sizes = [(total(*counts), first) for _, first, *counts in found]
    return {
        "stops": [(stop, number, number / whole) for stop, number in stops.most_common(STOPS_SHOWN)],
        "prompts": prompt_bins((size, first) for size, first in sizes if size is not None),
        "looked_at": ANSWERS_LOOKED_AT,
    }


def prompt_bins(found: Iterable[tuple[int, float | None]]) -> list[PromptBin]:
    """Of (tokens, milliseconds to the first byte); who counted none is left out, and so are bins without any."""
    bins: dict[int, list[float | None]] = {}
    for tokens, first in found:
        if tokens:
            bins.setdefault(bisect.bisect_right(PROMPT_BINS, tokens), []).append(first)
    most = max(map(len, bins.values()), default=1)
    edges = (0, *PROMPT_BINS, None)
    return [
        PromptBin(edges[at] or 0, edges[at + 1], len(firsts), len(firsts) / most, median(firsts))
        for at, firsts in sorted(bins.items())
    ]


def median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def span_of(since: datetime.datetime, until: datetime.datetime, zone: str) -> Span:
    """Whole hours; whole days of the zone for more than LONGEST_BY_HOUR."""
    if until - since <= LONGEST_BY_HOUR:
        return whole_hours(since, until)
    place = ZoneInfo(zone)
    return Span(since.astimezone(place).date() + DAY, until.astimezone(place).date() + DAY, zone)


@dataclass(frozen=True, slots=True)
class Bins:
    """Stretches of time of the same length, at most BINS_SHOWN, with what was summed up in each."""

    times: Sequence[datetime.datetime]
    ends: Sequence[datetime.datetime]
    figures: Sequence[Figures | None]
    words: str

    @classmethod
    def over(cls, span: Span, found: Sequence[Figures]) -> Bins:
        every = times_of(span)
        step = max(1, math.ceil(len(every) / BINS_SHOWN))
        places = {time: at // step for at, time in enumerate(every)}
        parts: dict[int, list[Figures]] = {}
        for figures in found:
            if (at := places.get(figures.group[TIME])) is not None:
                parts.setdefault(at, []).append(figures)
        zone = span.zone or "UTC"
        starts = every[::step]
        unit = "day" if span.zone else "hour"
        return cls(
            [bounds_of(time, zone)[0] for time in starts],
            [bounds_of(every[min(len(every), (at + 1) * step) - 1], zone)[1] for at in range(len(starts))],
            [added_up(parts[at]) if at in parts else None for at in range(len(starts))],
            unit if step == 1 else f"{step} {unit}s",
        )

    def links(self, address: Any) -> list[str]:
        return [
            address(since=stamp(begin), until=stamp(end), range="")
            for begin, end in zip(self.times, self.ends, strict=True)
        ]


def key_of(figures: Figures) -> tuple[str, str]:
    return figures.group["model"], figures.group["provider"]


def row_of(figures: Figures, before: Figures | None, statuses: Sequence[tuple[str, int]]) -> ModelRow:
    return ModelRow(
        figures.group.get("model", ""),
        figures.group.get("provider", ""),
        figures.sums,
        {name: figures.latency("first_byte", share) for name, share in SHARES},
        {name: figures.latency("duration", share) for name, share in SHARES},
        figures.tokens_per_second,
        before.latency("first_byte", 0.95) if before else None,
        statuses,
    )


def by_status(span: Span, teams: Any, only: Mapping[str, str]) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """The statuses that are errors, the most frequent first."""
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for figures in read_figures(span, ("model", "provider", "status"), teams=teams, only=only, latencies=()):
        status = figures.group["status"]
        if figures.sums["errors"]:
            words = "no status" if not status else f"{status} broken off" if status < "400" else status
            found.setdefault(key_of(figures), []).append((words, figures.sums["errors"]))
    return {key: sorted(counts, key=lambda count: -count[1])[:4] for key, counts in found.items()}


def draw(measure: str, bins: Bins, address: Any) -> Chart:
    series = [
        Series(name, [found.latency(measure, share) if found else None for found in bins.figures], tone)
        for (name, share), tone in zip(SHARES, ("1", "3", "5"), strict=True)
    ]
    title = f"{MEASURES[measure]} by {bins.words}"
    return Chart(title, bins.times, series, unit="ms", kind="lines", links=bins.links(address))


def draw_pace(bins: Bins, address: Any) -> Chart:
    series = [Series("tokens a second", [found.tokens_per_second if found else None for found in bins.figures], "2")]
    title = f"Pace of streams by {bins.words}, tokens a second"
    return Chart(title, bins.times, series, kind="area", links=bins.links(address))


def heat_map(measure: str, bins: Bins, address: Any) -> HeatMap | None:
    """How many requests took how long, when. None without any."""
    counts: dict[tuple[int, int], int] = {}
    for column, found in enumerate(bins.figures):
        for bucket, number in (found.counts[measure] if found else {}).items():
            octave = min(HIGHEST_OCTAVE, max(LOWEST_OCTAVE, bucket // PER_OCTAVE))
            counts[column, octave] = counts.get((column, octave), 0) + number
    if not counts:
        return None
    most, width, links = max(counts.values()), WIDTH / len(bins.times), bins.links(address)
    cells = [
        Cell(
            column * width,
            (HIGHEST_OCTAVE - octave) * ROW_HEIGHT,
            width,
            ROW_HEIGHT,
            1 + min(4, int(4.999 * math.log1p(number) / math.log1p(most))),
            f"{number:,} took {label(octave)} to {label(octave + 1)}, {bins.times[column]:%Y-%m-%d %H:%M}",
            links[column],
        )
        for (column, octave), number in sorted(counts.items())
    ]
    labels = [label(octave) for octave in range(HIGHEST_OCTAVE - 1, LOWEST_OCTAVE - 1, -3)]
    return HeatMap(cells, labels, OCTAVES * ROW_HEIGHT, bins.times[0], bins.ends[-1], bins.words)


def label(octave: int) -> str:
    milliseconds = 2**octave
    return f"{milliseconds} ms" if milliseconds < 1_000 else f"{milliseconds / 1_000:.3g} s"
