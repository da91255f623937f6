"""What may be spent in a day, a week or a month, in money or tokens; what is put aside for a request before it is sent;
how a budget's standing is told to Claude Code.

The header values are those of Claude Code's gateway contract: a client that is signed in to a gateway shows them as its
own warnings, every other one ignores them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from gateway.policy.limits import Measure, Rule
from gateway.policy.pools import Pool
from gateway.policy.windows import Period, Window, window_at

HeaderPair = tuple[bytes, bytes]
THRESHOLDS = (50, 75, 90, 100)
"""Percent of a budget at which its people are told."""
SHOWN_THRESHOLDS = ((0.95, b"0.95"), (0.75, b"0.75"))
PREFIX = b"anthropic-ratelimit-"
UNIFIED = PREFIX + b"unified-"
BYTES_A_TOKEN = 4
"""Of JSON, roughly; what is put aside for it is given back when the provider has counted."""
USUAL_OUTPUT = 4096
"""Tokens put aside for an answer whose length nobody has bounded or seen yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRule(Rule):
    """`usd` and `tokens` for each subject and `period`; None: not bounded. `message` is added to the refusal."""

    period: Period = Period.MONTHLY
    zone: str = "UTC"
    usd: float | None = None
    tokens: int | None = None
    message: str = ""
    show: bool = True
    """Its standing is told to clients in the answers' headers."""

    def window(self, now: float) -> Window:
        return window_at(self.period, self.zone, now)

    def pools(self, now: float) -> dict[Measure, Pool]:
        found: dict[Measure, Pool] = {}
        if self.usd is not None:
            found[Measure.USD] = Pool(self.usd, at=now)
        if self.tokens is not None:
            found[Measure.TOKENS] = Pool(self.tokens, at=now)
        return found


class Rates(NamedTuple):
    """US dollars for a million tokens."""

    input: float
    output: float


class Amount(NamedTuple):
    tokens: float = 0.0
    usd: float = 0.0


NOTHING = Amount()


def amount_of(input_tokens: float, output_tokens: float, rates: Rates | None) -> Amount:
    """`rates` None: it costs nothing that counts."""
    usd = (input_tokens * rates.input + output_tokens * rates.output) / 1e6 if rates is not None else 0.0
    return Amount(input_tokens + output_tokens, usd)


def put_aside(body_bytes: int, max_tokens: int | None, usual_output: float | None, rates: Rates | None) -> Amount:
    """What a request may come to: its input by its size, and as much output as it allows, or as is usual."""
    output = max_tokens if max_tokens is not None and max_tokens > 0 else usual_output or USUAL_OUTPUT
    return amount_of(body_bytes / BYTES_A_TOKEN, output, rates)


class Standing(NamedTuple):
    """Of one budget for one caller."""

    rule: BudgetRule
    measure: Measure
    used: float
    capacity: float
    window: Window
    subject: str = ""

    @property
    def share(self) -> float:
        """1.0: all of it is spent."""
        return self.used / self.capacity if self.capacity > 0 else 1.0

    @property
    def is_spent(self) -> bool:
        return self.share >= 1


def tightest(standings: Sequence[Standing]) -> Standing | None:
    """Of those that are spent the one that lasts longest, else the one that is spent most."""
    return max(
        standings, key=lambda each: (each.is_spent, each.window.end if each.is_spent else each.share), default=None
    )


def standing_headers(standing: Standing) -> list[HeaderPair]:
    """What an answer says of a budget that is not spent yet. One that is spent by now says 0.99: it was not before."""
    share = min(standing.share, 0.99)
    threshold = next((text for bound, text in SHOWN_THRESHOLDS if share >= bound), None)
    status = b"allowed_warning" if threshold else b"allowed"
    reset = b"%d" % math.floor(standing.window.end)
    pairs = [
        (UNIFIED + b"status", status),
        (UNIFIED + b"representative-claim", b"overage"),
        (UNIFIED + b"overage-status", status),
        (UNIFIED + b"overage-utilization", b"%.2f" % (math.floor(share * 100) / 100)),
        (UNIFIED + b"reset", reset),
        (UNIFIED + b"overage-reset", reset),
    ]
    if threshold:
        pairs.insert(4, (UNIFIED + b"overage-surpassed-threshold", threshold))
    return pairs


def refusal_headers(standing: Standing, now: float) -> list[HeaderPair]:
    """Beside the sentence of a refusal: no claim and no status of overage, or clients print words of their own."""
    reset = b"%d" % math.floor(standing.window.end)
    return [
        (b"retry-after", b"%d" % max(1, math.ceil(standing.window.end - now))),
        (UNIFIED + b"status", b"rejected"),
        (UNIFIED + b"overage-utilization", b"%.2f" % max(1.0, standing.share)),
        (UNIFIED + b"overage-surpassed-threshold", b"1"),
        (UNIFIED + b"overage-period", standing.rule.period.value.encode()),
        (UNIFIED + b"overage-disabled-reason", b"org_spend_cap_reached"),
        (UNIFIED + b"reset", reset),
        (UNIFIED + b"overage-reset", reset),
    ]


def refusal_sentence(standing: Standing) -> str:
    """One sentence: Claude Code prints it as it stands."""
    rule = standing.rule
    whose = f" of {rule.scope.value} {standing.subject}" if standing.subject else ""
    resets = moment(standing.window.end, rule.zone)
    said = f"The {rule.period.value} budget {rule.name}{whose} is spent: {spent(standing)}; it begins anew {resets}"
    return f"{said}. {rule.message}" if rule.message else f"{said}."


def spent(standing: Standing) -> str:
    if standing.measure is Measure.USD:
        return f"${standing.used:,.2f} of ${standing.capacity:,.2f}"
    return f"{standing.used:,.0f} of {standing.capacity:,.0f} tokens"


def moment(seconds: float, zone: str) -> str:
    return f"{datetime.fromtimestamp(seconds, ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


def usage_reply(standings: Sequence[Standing]) -> dict[str, Any] | None:
    """What `GET /api/oauth/usage` answers: the tightest budget of money in cents, as the client shows it, and all of
    them beside it; None: there is none."""
    money = tightest([standing for standing in standings if standing.measure is Measure.USD])
    if not standings:
        return None
    return {
        "five_hour": None,
        "seven_day": None,
        "extra_usage": extra_usage(money) if money is not None else None,
        "budgets": [describe(standing) for standing in standings],
    }


def extra_usage(standing: Standing) -> dict[str, Any]:
    return {
        "is_enabled": True,
        "monthly_limit": round(standing.capacity * 100),
        "used_credits": round(standing.used * 100, 2),
        "utilization": round(standing.share * 100, 2),
        "currency": "USD",
        "period": standing.rule.period.value,
        "resets_at": utc(standing.window.end),
    }


def describe(standing: Standing) -> dict[str, Any]:
    return {
        "name": standing.rule.name,
        "scope": standing.rule.scope.value,
        "subject": standing.subject or None,
        "period": standing.rule.period.value,
        "unit": "usd" if standing.measure is Measure.USD else "tokens",
        "used": round(standing.used, 6),
        "limit": standing.capacity,
        "utilization": round(standing.share * 100, 2),
        "resets_at": utc(standing.window.end),
    }


def utc(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
