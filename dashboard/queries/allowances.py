"""What a person's keys may still use: the budgets and limits that are about them, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from gateway.configuration.building_limits import budget_of, limit_of, read_each
from gateway.configuration.tables import exempt_keys, rows_of
from gateway.models import ApiKey, Budget, BudgetStanding, Limit
from gateway.policy.budgets import BudgetRule
from gateway.policy.limits import LimitRule, Who
from gateway.policy.windows import Window


@dataclass(frozen=True, slots=True)
class Allowance:
    """One budget of one subject, in one unit, `usd` or `tokens`. `share` in percent."""

    name: str
    whose: str
    period: str
    unit: str
    used: float
    capacity: float
    resets_at: datetime
    zone: str
    models: tuple[str, ...]
    shown: bool
    """Claude Code is told of it in the answers' headers."""

    @property
    def left(self) -> float:
        return max(0.0, self.capacity - self.used)

    @property
    def share(self) -> float:
        return 100 * self.used / self.capacity if self.capacity > 0 else 100.0

    @property
    def tone(self) -> str:
        return "bad" if self.share >= 100 else "warn" if self.share >= 75 else "good"


def read_allowances(user: Any) -> dict[str, Any]:
    """The template's context. Standings are told by the processes and some seconds old."""
    keys = list(ApiKey.objects.filter(owner=user).select_related("team"))
    exempt = set(exempt_keys())
    counted = [who_of(key, user) for key in keys if key.name not in exempt]
    budgets = read_each(rows_of(Budget.objects.filter(enabled=True)), budget_of)
    limits = read_each(rows_of(Limit.objects.filter(enabled=True)), limit_of)
    return {
        "allowances": list(allowances(budgets, counted)),
        "limits": list(limited(limits, counted)),
        "exempt": [key.name for key in keys if key.name in exempt],
    }


def who_of(key: ApiKey, user: Any) -> Who:
    return Who(team=key.team.name if key.team else "", member=user.get_username(), key=key.name)


def subjects(rule: Any, callers: Iterable[Who]) -> list[str]:
    """Of those the rule counts whose these requests are, whichever model is asked for; each once."""
    found = [replace(rule, models=()).subject(who) for who in callers]
    return list(dict.fromkeys(subject for subject in found if subject is not None))


def allowances(budgets: Iterable[BudgetRule], callers: list[Who]) -> Iterable[Allowance]:
    now = timezone.now().timestamp()
    for rule in budgets:
        window = rule.window(now)
        for subject in subjects(rule, callers):
            used = spent(rule.name, subject, window)
            for unit, capacity in (("usd", rule.usd), ("tokens", rule.tokens)):
                if capacity is not None:
                    yield Allowance(
                        name=rule.name,
                        whose=f"{rule.scope.value} {subject}".strip(),
                        period=rule.period.value,
                        unit=unit,
                        used=used[unit],
                        capacity=capacity,
                        resets_at=datetime.fromtimestamp(window.end, UTC),
                        zone=rule.zone,
                        models=rule.models,
                        shown=rule.show,
                    )


def spent(name: str, subject: str, window: Window) -> dict[str, float]:
    start = datetime.fromtimestamp(window.start, UTC)
    row = BudgetStanding.objects.filter(budget=name, subject=subject, window_start=start).first()
    return {"usd": row.usd if row else 0.0, "tokens": row.tokens if row else 0.0}


def limited(limits: Iterable[LimitRule], callers: list[Who]) -> Iterable[dict[str, Any]]:
    """Rates have no standing worth a look: they are full again within the minute."""
    for rule in limits:
        bounds = ", ".join(
            f"{bound:,g} {what}"
            for bound, what in (
                (rule.per_second, "requests a second"),
                (rule.per_minute, "requests a minute"),
                (rule.tokens_per_minute, "tokens a minute"),
                (rule.at_once, "at once"),
            )
            if bound is not None
        )
        for subject in subjects(rule, callers):
            whose = f"{rule.scope.value} {subject}".strip()
            yield {"name": rule.name, "whose": whose, "bounds": bounds, "models": rule.models}
