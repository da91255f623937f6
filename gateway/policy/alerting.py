"""What an alert rule looks at, and when an alert opens, is told and ends. Pure: the readings are somebody else's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.policy.patterns import fits


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


RANKS: Final = {severity.value: rank for rank, severity in enumerate(Severity)}


class Operator(StrEnum):
    ABOVE = ">"
    AT_LEAST = ">="
    BELOW = "<"
    AT_MOST = "<="

    def holds(self, value: float, threshold: float) -> bool:
        if self is Operator.ABOVE:
            return value > threshold
        if self is Operator.AT_LEAST:
            return value >= threshold
        return value < threshold if self is Operator.BELOW else value <= threshold


class Metric(StrEnum):
    ERROR_RATE = "error_rate"
    DURATION_P95 = "duration_p95"
    FIRST_BYTE_P95 = "first_byte_p95"
    LIMIT_REFUSALS = "limit_refusals"
    CONCURRENCY_REFUSALS = "concurrency_refusals"
    BREAKER_OPEN = "breaker_open"
    CREDENTIALS_LIMITED = "credentials_limited"
    QUEUE_DEPTH = "queue_depth"
    QUEUE_FILL = "queue_fill"
    PLACES_USED = "places_used"
    SPOOL_AGE = "spool_age"
    SPOOL_DEPTH = "spool_depth"
    DROPPED = "dropped"
    BUDGET_USED = "budget_used"
    QUOTA_FORECAST = "quota_forecast"


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a metric. `counts`: its reading is over the window; any other must hold for as long as the
    window is. `narrowed`: which of provider, model and team its readings tell apart."""

    title: str
    unit: str
    explained: str
    counts: bool = False
    narrowed: frozenset[str] = frozenset()


ALL_THREE: Final = frozenset({"provider", "model", "team"})
PROVIDER: Final = frozenset({"provider"})
METRICS: Final[dict[Metric, Measured]] = {
    Metric.ERROR_RATE: Measured(
        "Errors", "%", "of the requests that ended in the window; clients that left do not count", True, ALL_THREE
    ),
    Metric.DURATION_P95: Measured("Duration, p95", "ms", "of completed requests in the window", True, ALL_THREE),
    Metric.FIRST_BYTE_P95: Measured("First byte, p95", "ms", "of completed requests in the window", True, ALL_THREE),
    Metric.LIMIT_REFUSALS: Measured(
        "Refused by a limit", "requests", "for each limit, in the window", True, frozenset({"team"})
    ),
    Metric.CONCURRENCY_REFUSALS: Measured(
        "Refused: too many at once", "requests", "for each limit of requests at once, in the window", True,
        frozenset({"team"}),
    ),
    Metric.BREAKER_OPEN: Measured(
        "Breaker open", "processes", "that have the breaker of a provider and model open", False,
        frozenset({"provider", "model"}),
    ),
    Metric.CREDENTIALS_LIMITED: Measured(
        "Credentials not usable", "%", "of a provider's: blocked, rejected, or resting because it limits them", False,
        PROVIDER,
    ),
    Metric.QUEUE_DEPTH: Measured("Queue", "requests", "that wait for a place at a provider", False, PROVIDER),
    Metric.QUEUE_FILL: Measured("Queue filled", "%", "of the room of a provider's queue", False, PROVIDER),
    Metric.PLACES_USED: Measured("Places taken", "%", "of the requests a provider gets at once", False, PROVIDER),
    Metric.SPOOL_AGE: Measured("Spool age", "s", "that the oldest exchange waits to be loaded, after it was over"),
    Metric.SPOOL_DEPTH: Measured("Spool depth", "exchanges", "that are over or under way and not in the history"),
    Metric.DROPPED: Measured("Not recorded", "exchanges", "served without a record, in the window", True),
    Metric.BUDGET_USED: Measured(
        "Budget used", "%", "of a budget, by the one nearest to its end", False, frozenset({"team"})
    ),
    Metric.QUOTA_FORECAST: Measured(
        "Quota forecast", "%", "of an account's quota, used by the time it begins anew at the present pace"
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """`subject`: what it is of, in words people know; empty: all of it. `link`: a page with its rows, from /."""

    subject: str
    value: float
    provider: str = ""
    model: str = ""
    team: str = ""
    link: str = ""

    def is_within(self, providers: Iterable[str], models: Iterable[str], teams: Iterable[str]) -> bool:
        """Whether a rule narrowed to these is about it; nothing narrows nothing."""
        pairs = ((providers, self.provider), (models, self.model), (teams, self.team))
        return all(not names or any(fits(name, value) for name in names) for names, value in pairs)


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one rule and subject. Times are seconds since 1970. `since`: from when on its condition has held; None: it did
    not. `open`: an alert is open. `is_told`: its opening was told. `told_at`: when the last one of this subject was,
    this or an earlier; None: never."""

    since: float | None = None
    open: bool = False
    is_told: bool = False
    told_at: float | None = None


class Step(StrEnum):
    NOTHING = "nothing"
    WAIT = "wait"
    """It holds, not yet for as long as the window is."""
    FORGET = "forget"
    """It held too briefly."""
    OPEN = "open"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Decision:
    step: Step
    tells: bool = False
    """Whether channels are to be told: of the opening, perhaps late, or of the end."""


def decide(
    holds: bool, standing: Standing, now: float, *, window: float, cooldown: float, muted: bool = False
) -> Decision:
    """`window`: 0 for readings that are over a window themselves. Of an alert nobody was told of the end is not told
    either; what opened while it was muted or in the cooldown is told as soon as neither is so, if it is open still."""
    if not holds:
        if standing.open:
            return Decision(Step.RESOLVE, tells=standing.is_told and not muted)
        return Decision(Step.NOTHING if standing.since is None else Step.FORGET)
    may_tell = not muted and (standing.told_at is None or now - standing.told_at >= cooldown)
    if standing.open:
        return Decision(Step.NOTHING, tells=may_tell and not standing.is_told)
    since = now if standing.since is None else standing.since
    if now - since >= window:
        return Decision(Step.OPEN, tells=may_tell)
    return Decision(Step.WAIT)
