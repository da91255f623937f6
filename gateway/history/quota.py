"""How fast an account's quota burns, as far as the headers of its answers say: windows, samples, forecasts.

An account's headers say how much of a window is used and when it begins anew. They are kept when they say something new
(`gateway/recording/limit_samples.py`), so that a window is a few hundred samples at most.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from gateway.history.id_times import HOUR, first_id_at
from gateway.history.limit_values import LENGTHS, moment, number
from gateway.history.visibility import Sight

UNIFIED: Final = "anthropic-ratelimit-unified-"
LONGEST: Final = datetime.timedelta(days=8)
RECENT: Final = 1 / 8
"""Of a window: the stretch whose pace is taken for the present one."""
ACCOUNTS: Final = """
WITH RECURSIVE hop(value) AS (
    (SELECT organization_id FROM gateway_ratelimitsample WHERE organization_id IS NOT NULL AND id >= %(since)s
     ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT (SELECT organization_id FROM gateway_ratelimitsample
            WHERE organization_id > hop.value AND id >= %(since)s ORDER BY organization_id LIMIT 1)
    FROM hop WHERE hop.value IS NOT NULL
)
SELECT value FROM hop WHERE value IS NOT NULL LIMIT 50
"""
SAMPLES: Final = """
SELECT s.name, s.value, extract(epoch FROM s.sampled_at)::float8 FROM gateway_ratelimitsample s
WHERE s.organization_id = %(account)s AND s.name = ANY(%(names)s) AND s.sampled_at >= %(from)s AND s.id >= %(since)s
ORDER BY s.sampled_at DESC LIMIT 20000
"""
VISIBLE: Final = """
SELECT EXISTS (
    SELECT 1 FROM gateway_ratelimitsample s JOIN gateway_requestlog r ON r.id = s.id
    WHERE s.organization_id = %(account)s AND s.id >= %(since)s AND r.id >= %(since)s AND r.team = ANY(%(teams)s)
)
"""


@dataclass(frozen=True, slots=True)
class Sample:
    at: datetime.datetime
    used: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What will be used when the window begins anew, 1 being all: at the present pace, and the lowest and highest of
    the paces so far. `full_at` and `full_early`: when all will be used up, at the present and at the highest; None:
    not before it begins anew."""

    at_reset: float
    low: float
    high: float
    full_at: datetime.datetime | None
    full_early: datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Burner:
    """`share` of the account's cost in this window, from 0 to 1."""

    name: str
    team: str
    requests: int
    cost_usd: Decimal | None
    output_tokens: int | None
    share: float


@dataclass(slots=True)
class Window:
    """`used` from 0 to 1. `begins` and `resets_at` bound it; None: the headers did not say."""

    name: str
    account: str
    length: datetime.timedelta
    used: float
    at: datetime.datetime
    status: str = ""
    resets_at: datetime.datetime | None = None
    samples: Sequence[Sample] = ()
    forecast: Forecast | None = None
    burners: Sequence[Burner] = ()
    refused: int = 0
    chart: Any = None
    """What a page draws of it."""
    over: bool = False
    """It began anew since, and nothing was said after that."""
    notes: list[str] = field(default_factory=list)

    @property
    def begins(self) -> datetime.datetime | None:
        return None if self.resets_at is None else self.resets_at - self.length

    @property
    def elapsed(self) -> float | None:
        """The part of the window that had passed at the last sample."""
        if self.begins is None:
            return None
        return min(1.0, max(0.0, (self.at - self.begins) / self.length))

    @property
    def pace(self) -> float | None:
        """Used against passed: 1 just lasts, 2 lasts half as long."""
        return self.used / self.elapsed if self.elapsed else None

    @property
    def tone(self) -> str:
        if self.forecast and self.forecast.full_at is not None:
            return "bad"
        if self.used >= 0.9 or (self.forecast and self.forecast.high >= 1):
            return "warn"
        return "good"


def accounts(sight: Sight, now: datetime.datetime) -> list[str]:
    """The organizations that said something of late; of teams, only those that their requests reached."""
    since = first_id_at(now - LONGEST)
    with connection.cursor() as cursor:
        cursor.execute(ACCOUNTS, {"since": since})
        found = [row[0] for row in cursor.fetchall()]
        if sight.figures is None:
            return found
        seen = []
        for account in found:
            cursor.execute(VISIBLE, {"account": account, "since": since, "teams": sorted(sight.figures)})
            if cursor.fetchone()[0]:
                seen.append(account)
        return seen


def read_samples(account: str, now: datetime.datetime) -> dict[str, list[tuple[datetime.datetime, str]]]:
    """By header, oldest first."""
    names = [f"{UNIFIED}{window}-{what}" for window in LENGTHS for what in ("utilization", "reset", "status")]
    since = now - LONGEST
    values: dict[str, Any] = {"account": account, "names": names, "from": since, "since": first_id_at(since)}
    found: dict[str, list[tuple[datetime.datetime, str]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(SAMPLES, values)
        # As numbers: to read twenty thousand times of day as text takes longer than all the rest.
        for name, value, at in reversed(cursor.fetchall()):
            found.setdefault(name, []).append((datetime.datetime.fromtimestamp(at, datetime.UTC), value))
    return found


def window_of(
    account: str,
    name: str,
    length: datetime.timedelta,
    said: Mapping[str, list[tuple[datetime.datetime, str]]],
    now: datetime.datetime,
) -> Window | None:
    used = [
        Sample(at, amount)
        for at, text in said.get(f"{UNIFIED}{name}-utilization", [])
        if (amount := number(text)) is not None
    ]
    if not used:
        return None
    resets = [
        found
        for at, text in said.get(f"{UNIFIED}{name}-reset", [])
        # What lies before the answer that says it is no time to begin anew.
        if (found := moment(text, at)) is not None and found > at
    ]
    status = said.get(f"{UNIFIED}{name}-status", [])
    window = Window(
        name,
        account,
        length,
        used[-1].used,
        used[-1].at,
        status[-1][1][:40] if status else "",
        resets[-1] if resets else None,
    )
    if window.begins is not None and window.resets_at is not None:
        window.samples = [sample for sample in used if sample.at >= window.begins]
        window.over = window.resets_at <= now
        window.forecast = None if window.over else foretell(window, now)
    else:
        window.samples = used
    return window


def foretell(window: Window, now: datetime.datetime) -> Forecast | None:
    """By straight lines through the last sample: of the whole window so far, and of its last stretch."""
    begins, resets = window.begins, window.resets_at
    if begins is None or resets is None or window.at <= begins:
        return None
    whole = window.used / max((window.at - begins) / HOUR, 1 / 60)
    paces = [whole]
    early = [sample for sample in window.samples if sample.at <= window.at - window.length * RECENT]
    if early:
        last = early[-1]
        paces.append(max(0.0, (window.used - last.used) / ((window.at - last.at) / HOUR)))
    left = (resets - window.at) / HOUR
    present = paces[-1]
    return Forecast(
        at_reset=window.used + present * left,
        low=window.used + min(paces) * left,
        high=window.used + max(paces) * left,
        full_at=reached(window, present, resets),
        full_early=reached(window, max(paces), resets),
    )


def reached(window: Window, pace: float, resets: datetime.datetime) -> datetime.datetime | None:
    """When everything is used at a pace per hour; None when not before the window begins anew."""
    if window.used >= 1:
        return window.at
    if pace <= 0:
        return None
    at = window.at + HOUR * min((1 - window.used) / pace, 10_000)
    return at if at < resets else None
