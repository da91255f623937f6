"""How fast an account's quota burns: what was used of each window against the line that would just last, when it will
be used up, and who uses it.

An account's headers say how much of a window is used and when it begins anew. They are kept when they say something new
(`gateway/recording/limit_samples.py`), so that a window is a few hundred samples at most.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from dashboard.charts import Chart, Series
from dashboard.scope import HOUR, Scope, whole_hours
from gateway.history.figures import TIME, read_figures
from gateway.history.id_times import first_id_at
from gateway.history.limit_values import LENGTHS
from gateway.history.quota import LONGEST, Burner, Sample, Window, accounts, read_samples, window_of
from gateway.history.visibility import Sight
from gateway.models import RateLimitSample

POINTS: Final = 96
BURNERS_SHOWN: Final = 8
OVERAGE: Final = "anthropic-ratelimit-unified-overage-status"
ALLOWED: Final = "allowed"
WHY_NONE: Final = "anthropic-ratelimit-unified-overage-disabled-reason"


class Overage(NamedTuple):
    """Whether an account goes on beyond its windows, in its headers' own words; `why` may be empty."""

    account: str
    status: str
    why: str
    at: datetime.datetime


def read_quota(sight: Sight, now: datetime.datetime, *, burners: bool = True) -> list[Window]:
    """The windows of every account that may be seen, the one in most danger first; with who spent in them, or not."""
    return sorted(
        (window for account in accounts(sight, now) for window in windows_of(account, sight, now, burners)),
        key=lambda window: (window.over, -(window.forecast.at_reset if window.forecast else window.used)),
    )


def windows_of(account: str, sight: Sight, now: datetime.datetime, burners: bool = True) -> list[Window]:
    said = read_samples(account, now)
    found = []
    for name, length in LENGTHS.items():
        window = window_of(account, name, length, said, now)
        if window is not None:
            if window.begins is not None:
                window.chart = draw(window, now)
            if burners:
                add_burners(window, sight, now)
            found.append(window)
    return found


def draw(window: Window, now: datetime.datetime) -> Chart:
    """The samples, the line that would just last, and what is foretold, in percent over the whole window."""
    begins = window.begins or now
    times = [begins + window.length * at / POINTS for at in range(POINTS + 1)]
    actual = stepped(window.samples, times, min(now, times[-1]))
    series = [
        Series("Used", actual, "1"),
        Series("Just lasts", [100 * at / POINTS for at in range(POINTS + 1)], "quiet", dashed=True),
    ]
    if window.forecast is not None:
        series.append(Series("At this pace", ahead(window, times, window.forecast.at_reset), window.tone, dashed=True))
    return Chart(f"{window.name} window, percent used", times, series, unit="percent", kind="lines")


def stepped(
    samples: Sequence[Sample], times: Sequence[datetime.datetime], until: datetime.datetime
) -> list[float | None]:
    """The last value said before each time; nothing before the first sample and after now."""
    values: list[float | None] = []
    place, last = 0, None
    for time in times:
        while place < len(samples) and samples[place].at <= time:
            last = samples[place].used
            place += 1
        values.append(None if last is None or time > until else round(100 * last, 1))
    return values


def ahead(window: Window, times: Sequence[datetime.datetime], at_reset: float) -> list[float | None]:
    whole = (window.resets_at - window.at) / HOUR  # type: ignore[operator]
    values: list[float | None] = []
    for time in times:
        passed = (time - window.at) / HOUR
        value = window.used + (at_reset - window.used) * passed / whole if whole > 0 and passed >= 0 else None
        values.append(None if value is None or value > 1.25 else round(100 * value, 1))
    return values


def add_burners(window: Window, sight: Sight, now: datetime.datetime) -> None:
    """Who spent in this window, by the sums of whole hours, the most first, and how many requests were refused for the
    limit."""
    begins = window.begins or now - window.length
    span = whole_hours(begins, min(now, window.resets_at or now))
    found = read_figures(
        span, ("access_key", "team"), teams=sight.figures, only={"provider": "anthropic"}, latencies=()
    )
    whole = float(sum((figures.sums["cost_usd"] or Decimal(0) for figures in found), Decimal(0)))
    requests = sum(figures.sums["requests"] for figures in found)
    burners = [
        Burner(
            figures.group["access_key"],
            figures.group["team"],
            figures.sums["requests"],
            figures.sums["cost_usd"],
            figures.sums["output_tokens"],
            float(figures.sums["cost_usd"] or 0) / whole if whole else figures.sums["requests"] / max(1, requests),
        )
        for figures in found
    ]
    window.burners = sorted(burners, key=lambda burner: -burner.share)
    refused = read_figures(span, (), teams=sight.figures, only={"status": "429"}, latencies=())
    window.refused = sum(figures.sums["requests"] for figures in refused)


def shown_burners(window: Window, scope: Scope) -> list[Burner]:
    """Those of a team and a key, with their shares of what all spent; the window itself is everybody's."""
    wanted = (burner for burner in window.burners if scope.team in ("", burner.team) and scope.key in ("", burner.name))
    return list(itertools.islice(wanted, BURNERS_SHOWN))


def refusals(sight: Sight, now: datetime.datetime, days: int = 7) -> Chart:
    """Requests that were answered 429, by hour."""
    span = whole_hours(now - datetime.timedelta(days=days), now)
    found = read_figures(span, (TIME,), teams=sight.figures, only={"status": "429"}, latencies=())
    counts = {figures.group[TIME]: figures.sums["requests"] for figures in found}
    times = hours_of(span.since, span.until)
    return Chart(
        "Refused for a limit (429), by hour",
        times,
        [Series("429", [counts.get(at, 0) for at in times], "bad")],
        kind="bars",
    )


def hours_of(since: Any, until: Any) -> list[datetime.datetime]:
    return [since + HOUR * at for at in range((until - since) // HOUR)]


def overages(accounts: Iterable[str], now: datetime.datetime) -> list[Overage]:
    """What each account said of it last, in the last eight days; one that said nothing is left out."""
    since = now - LONGEST
    samples = RateLimitSample.objects.filter(
        organization_id__in=set(accounts),
        name__in=(OVERAGE, WHY_NONE),
        sampled_at__gte=since,
        request_id__gte=first_id_at(since),
    ).order_by("organization_id", "name", "-sampled_at")
    names = ("organization_id", "name", "value", "sampled_at")
    last = {
        (account, name): (value, at) for account, name, value, at in samples.distinct(*names[:2]).values_list(*names)
    }
    return [
        Overage(account, value, "" if value == ALLOWED else last.get((account, WHY_NONE), ("", at))[0], at)
        for (account, name), (value, at) in last.items()
        if name == OVERAGE
    ]


def advice(windows: Iterable[Window]) -> list[str]:
    """What to do about the windows that will not last."""
    told = []
    for window in windows:
        if window.forecast is None or window.forecast.full_at is None:
            continue
        most = window.burners[0] if window.burners else None
        by = (
            f"; {most.name or 'callers without a key'} made {most.share:.0%} of it"
            if most and most.share >= 0.3
            else ""
        )
        told.append(
            f"The {window.name} window will be used up at about {window.forecast.full_at:%H:%M} UTC, "
            f"before it begins anew at {window.resets_at:%H:%M}{by}. "
            "A smaller model or a smaller context slows it down."
        )
    return told
