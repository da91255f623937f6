"""What the overview shows: figures of the time with those of the time before, by hour or day, and what stands out.

The same under /d/ and on the admin's first page.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from heapq import nlargest
from typing import Any, Final

from dashboard.access import Viewer
from dashboard.charts import Chart, Series, spark_points
from dashboard.queries.errors import read_errors
from dashboard.queries.health import reconciled
from dashboard.queries.models import span_of
from dashboard.queries.quota import read_quota
from dashboard.queries.request_query import STATES
from dashboard.queries.usage import (
    PROMPT_PARTS,
    bounds_of,
    forecast_month,
    span_before,
    stamp,
    times_of,
)
from dashboard.scope import Scope
from gateway.dialects.tokens import total
from gateway.history.figures import TIME, Figures, Span, added_up, read_figures
from gateway.history.rollups import zones
from gateway.models import ConfigurationRevision, ProcessGauges
from gateway.version import VERSION

LISTED: Final = (
    "id",
    "started_at",
    "model",
    "requested_model",
    "status_code",
    "outcome",
    "team",
    "access_key",
    "response__error_type",
)
MODELS_TOLD_APART: Final = 6
TOP: Final = 5
WINDOWS: Final = 4
FAILURES_GROUPED: Final = 200
ANSWERS_LOOKED_AT: Final = 1_000
"""How many of the newest the slowest are looked for among: no index knows them."""
MARKS: Final = 12


@dataclass(frozen=True, slots=True)
class Delta:
    """Against the time before; `tone` says whether more is good, bad or neither."""

    sign: str
    text: str
    tone: str


def read_overview(viewer: Viewer, scope: Scope) -> dict[str, Any]:
    """The template's context."""
    now = datetime.now(UTC)
    zone = next(iter(zones()), None)
    span = span_of(*scope.bounds(now), zone) if zone else scope.hours(now)
    teams, only = viewer.figures.teams, scope.only()
    found = read_figures(span, (TIME, "model"), teams=teams, only=only, latencies=())
    total = added_up(found)
    earlier = added_up(read_figures(span_before(span), (), teams=teams, only=only, latencies=()))
    latency = added_up(read_figures(span, (), teams=teams, only=only))
    times = times_of(span)
    bounds = [bounds_of(time, span.zone or "UTC") for time in times]
    failed = scope.rows(viewer.figures).filter(STATES["failed"]).select_related("response").only(*LISTED)
    return {
        "total": total.sums if total else None,
        "deltas": deltas(total, earlier),
        "sparks": {
            name: spark_points(sums_by_time(found, times, name))
            for name in ("requests", "errors", "cost_usd", "output_tokens")
        },
        "error_share": share(total, "errors", "requests"),
        "cache_share": cache_share(total),
        "sent_tokens": sent_tokens(total),
        "month": forecast_month(zone or "UTC", scope, viewer.figures, now),
        "latency": latency.values() if latency else None,
        "chart": by_model(found, span, scope, list(marks(viewer, bounds[0][0], bounds[-1][1]))),
        "spenders": spenders(viewer, scope, span),
        "windows": [window for window in read_quota(viewer.figures, now, burners=False) if not window.over][:WINDOWS],
        "errors": list(failed.order_by("-id")[:TOP]),
        "failing": failing(viewer, scope),
        "slowest": slowest(viewer, scope),
        "looked_at": ANSWERS_LOOKED_AT,
        "status": reconciled(),
    }


def share(figures: Figures | None, part: str, whole: str) -> float | None:
    return figures.sums[part] / figures.sums[whole] if figures and figures.sums[whole] else None


def cache_share(figures: Figures | None) -> float | None:
    """Of all that was sent, what came from the cache."""
    if figures is None or figures.sums["cache_read_tokens"] is None:
        return None
    sent = sent_tokens(figures)
    return figures.sums["cache_read_tokens"] / sent if sent else None


def sent_tokens(figures: Figures | None) -> int | None:
    """All that went in, from the cache or not."""
    if figures is None:
        return None
    return total(*(figures.sums[name] for name in PROMPT_PARTS))


def deltas(now: Figures | None, earlier: Figures | None) -> dict[str, Delta | None]:
    worse = {
        "errors": ("bad", "good"),
        "cost_usd": ("warn", "good"),
        "requests": ("quiet", "quiet"),
        "output_tokens": ("quiet", "quiet"),
    }
    return {name: delta(now, earlier, name, *tones) for name, tones in worse.items()}


def delta(now: Figures | None, earlier: Figures | None, name: str, more: str, less: str) -> Delta | None:
    if now is None or earlier is None or not now.sums[name] or not earlier.sums[name]:
        return None
    change = float(now.sums[name]) / float(earlier.sums[name]) - 1
    if abs(change) < 0.005:
        return Delta("=", "as before", "quiet")
    text = f"{abs(change):.0%}" if abs(change) < 10 else f"{change + 1:.0f} times"
    return Delta("▲" if change > 0 else "▼", text, more if change > 0 else less)


def sums_by_time(found: Sequence[Figures], times: Sequence[date], name: str) -> list[float]:
    sums = dict.fromkeys(times, 0.0)
    for figures in found:
        if figures.group[TIME] in sums:
            sums[figures.group[TIME]] += float(figures.sums[name] or 0)
    return list(sums.values())


def by_model(found: Sequence[Figures], span: Span, scope: Scope, marked: Sequence[tuple[datetime, str]] = ()) -> Chart:
    """The models with most requests told apart, the rest together."""
    models: dict[str, list[Figures]] = {}
    for figures in found:
        models.setdefault(figures.group["model"], []).append(figures)
    ordered = sorted(models, key=lambda model: -sum(each.sums["requests"] for each in models[model]))
    times = times_of(span)
    shown = [
        Series(model or "unknown", sums_by_time(models[model], times, "requests"))
        for model in ordered[:MODELS_TOLD_APART]
    ]
    rest = [each for model in ordered[MODELS_TOLD_APART:] for each in models[model]]
    if rest:
        shown.append(Series("others", sums_by_time(rest, times, "requests"), "quiet"))
    bounds = [bounds_of(time, span.zone or "UTC") for time in times]
    links = [scope.address(range="", since=stamp(begin), until=stamp(end)) for begin, end in bounds]
    title = f"Requests by {'day' if span.zone else 'hour'} and model"
    links = [f"/d/requests/{link}" for link in links]
    return Chart(title, [begin for begin, _ in bounds], shown, links=links, marks=marked)


def marks(viewer: Viewer, since: datetime, until: datetime) -> Iterator[tuple[datetime, str]]:
    """What may have changed the figures: new versions of the configuration, and when the running gateway began. Who
    made a version, and why, is told to those who see every team: its note may be about another."""
    tells = viewer.figures.teams is None
    made = ConfigurationRevision.objects.filter(made_at__gte=since, made_at__lt=until).order_by("-pk")
    for number, at, author, note in made.values_list("pk", "made_at", "author_name", "note")[:MARKS]:
        more = [words for words in (author, note) if words] if tells else []
        yield at, ", ".join([f"configuration, version {number}", *more])
    began = ProcessGauges.objects.filter(role="web", began_at__gte=since, began_at__lt=until)
    for at in sorted({at.replace(second=0, microsecond=0) for at in began.values_list("began_at", flat=True)})[-MARKS:]:
        yield at, f"Turnlog {VERSION} began"


def failing(viewer: Viewer, scope: Scope) -> list[tuple[Any, str]]:
    """Groups of the newest failures as the page of errors has them, the most frequent first, and where their requests
    are."""
    groups = read_errors(viewer, scope, FAILURES_GROUPED)["groups"][:TOP]
    return [(group, scope.address(q=group.query)) for group in groups]


def slowest(viewer: Viewer, scope: Scope) -> list[tuple[Any, ...]]:
    """Of the newest answers those that took longest to begin: id, milliseconds, model, key."""
    names = ("id", "response__first_byte_ms", "model", "requested_model", "access_key")
    rows = scope.rows(viewer.figures).order_by("-id").values_list(*names)[:ANSWERS_LOOKED_AT]
    found = [(row[0], row[1], row[2] or row[3], row[4]) for row in rows if row[1] is not None]
    return nlargest(TOP, found, key=lambda row: row[1])


def spenders(viewer: Viewer, scope: Scope, span: Span) -> list[tuple[str, Any, str]]:
    """The keys that cost most: name, USD, and where their requests are."""
    found = read_figures(span, ("access_key",), teams=viewer.figures.teams, only=scope.only(), latencies=())
    priced = [each for each in found if each.sums["cost_usd"] is not None]
    priced.sort(key=lambda each: -each.sums["cost_usd"])
    return [
        (each.group["access_key"], each.sums["cost_usd"], scope.address(key=each.group["access_key"]))
        for each in priced[:TOP]
    ]
