"""Readings of budgets and quotas: how much of each is used, and warnings of budgets that wait to be told."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from urllib.parse import urlencode

from django.db import transaction

from gateway.announcing.announce import announce
from gateway.history.limit_values import LENGTHS
from gateway.history.quota import accounts, read_samples, window_of
from gateway.history.visibility import EVERYTHING
from gateway.models import AlertRule, Budget, BudgetEvent, BudgetStanding
from gateway.policy.alerting import Reading, Severity
from gateway.policy.limits import Scope

MOST_STANDINGS = 5_000
MOST_EVENTS = 500
NEARLY, SPENT = 90, 100


def budgets_used(rule: AlertRule, now: datetime.datetime) -> Iterator[Reading]:
    """In percent, of the present window, by money or tokens, whichever is nearer to its end."""
    budgets = {budget.name: budget for budget in Budget.objects.filter(enabled=True)}
    rows = BudgetStanding.objects.filter(budget__in=budgets, window_start__lte=now, window_end__gt=now)
    for row in rows.order_by("budget", "subject")[:MOST_STANDINGS]:
        budget = budgets[row.budget]
        shares = [row.usd / budget.usd] if budget.usd else []
        shares += [row.tokens / budget.tokens] if budget.tokens else []
        team = row.subject if budget.scope == Scope.TEAM.value else ""
        subject = f"{row.budget} {row.subject}".strip()
        yield Reading(subject, 100 * max(shares, default=0.0), team=team, link=standings_of(row.budget))


def quota_forecasts(rule: AlertRule, now: datetime.datetime) -> Iterator[Reading]:
    """In percent, of each account and window that says when it begins anew: what will be used by then."""
    for account in accounts(EVERYTHING, now):
        said = read_samples(account, now)
        for name, length in LENGTHS.items():
            window = window_of(account, name, length, said, now)
            if window is not None and window.forecast is not None:
                yield Reading(f"{account} {name}", 100 * window.forecast.at_reset, link="/d/quota/")


def standings_of(budget: str) -> str:
    return "/admin/gateway/budgetstanding/?" + urlencode({"budget": budget})


def announce_budgets(now: datetime.datetime) -> int:
    """Tell what the processes wrote down, each once; how many there were."""
    with transaction.atomic():
        waiting = BudgetEvent.objects.filter(delivered_at=None).order_by("pk").select_for_update(skip_locked=True)
        events = list(waiting[:MOST_EVENTS])
        for event in events:
            announce_budget(event)
        BudgetEvent.objects.filter(pk__in=[event.pk for event in events]).update(delivered_at=now)
    return len(events)


def announce_budget(event: BudgetEvent) -> None:
    whose = f" of {event.scope} {event.subject}" if event.subject else ""
    unit = event.get_unit_display()
    verdict = "Requests are refused until then." if event.threshold >= SPENT else ""
    announce(
        "budget",
        severity_of(event.threshold),
        f"Budget {event.budget}{whose}: {event.threshold} % used",
        f"{event.used:,.4g} of {event.amount:,g} {unit} ({event.period}). It begins anew at "
        f"{event.window_end:%Y-%m-%d %H:%M} UTC. {verdict}".strip(),
        standings_of(event.budget),
        f"budget:{event.pk}",
        event.subject if event.scope == Scope.TEAM.value else None,
    )


def severity_of(threshold: int) -> str:
    if threshold >= SPENT:
        return Severity.CRITICAL.value
    return Severity.WARNING.value if threshold >= NEARLY else Severity.INFO.value
