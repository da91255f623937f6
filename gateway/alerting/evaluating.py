"""Looks at every rule, and opens, tells and ends its alerts: one look at a time, each one transaction.

A worker that dies in a look leaves everything as it was before it, and the next look finds the same.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from gateway.alerting.money import budgets_used, quota_forecasts
from gateway.alerting.providers import Fleet
from gateway.alerting.requests import Requests
from gateway.alerting.spool import Spool
from gateway.announcing.announce import announce
from gateway.models import Alert, AlertRule, Announcement
from gateway.models.alerts import Kind
from gateway.policy.alerting import Decision, Metric, Operator, Reading, Standing, Step, decide

log = structlog.get_logger(__name__)

LOCK = 0x616C7274
MOST_SUBJECTS = 200
OPEN_STATES = (Alert.State.PENDING, Alert.State.OPEN)
Reader = Callable[[AlertRule], Iterable[Reading]]


def look(now: datetime.datetime | None = None) -> bool:
    """One look at all rules; False: another worker is at it."""
    now = now or timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return False
        end_orphans(now)
        readers = readers_at(now)
        for rule in AlertRule.objects.filter(enabled=True):
            readings = read(rule, readers)
            if readings is not None:
                settle(rule, readings, now)
    return True


def readers_at(now: datetime.datetime) -> dict[Metric, Reader]:
    """Of one look, so that what several rules need is read once."""
    requests, fleet, spool = Requests(now), Fleet(now), Spool(now)
    return {
        Metric.ERROR_RATE: requests.errors,
        Metric.DURATION_P95: requests.latency,
        Metric.FIRST_BYTE_P95: requests.latency,
        Metric.LIMIT_REFUSALS: requests.refusals,
        Metric.CONCURRENCY_REFUSALS: requests.refusals,
        Metric.BREAKER_OPEN: fleet.breakers,
        Metric.CREDENTIALS_LIMITED: fleet.credentials,
        Metric.QUEUE_DEPTH: fleet.queue_depth,
        Metric.QUEUE_FILL: fleet.queue_fill,
        Metric.PLACES_USED: fleet.places_used,
        Metric.SPOOL_AGE: spool.age,
        Metric.SPOOL_DEPTH: spool.depth,
        Metric.DROPPED: spool.dropped,
        Metric.BUDGET_USED: lambda rule: budgets_used(rule, now),
        Metric.QUOTA_FORECAST: lambda rule: quota_forecasts(rule, now),
    }


def read(rule: AlertRule, readers: dict[Metric, Reader]) -> list[Reading] | None:
    """What the rule is about, the worst first where there is too much; None: it cannot be known now, and nothing
    follows."""
    try:
        with transaction.atomic():
            found = [
                reading
                for reading in readers[Metric(rule.metric)](rule)
                if reading.is_within(rule.providers, rule.models, []) and is_of_teams(rule, reading)
            ]
    except (DatabaseError, OSError, KeyError, ValueError) as problem:
        log.warning("an alert rule could not be looked at", rule=rule.name, problem=str(problem).split("\n")[0])
        return None
    worst_first = Operator(rule.operator) in (Operator.ABOVE, Operator.AT_LEAST)
    return sorted(found, key=lambda reading: reading.value, reverse=worst_first)[:MOST_SUBJECTS]


def is_of_teams(rule: AlertRule, reading: Reading) -> bool:
    """Readings that are made of some teams' requests alone do not name a team: they are narrowed already."""
    return not reading.team or reading.is_within([], [], rule.teams)


def settle(rule: AlertRule, readings: list[Reading], now: datetime.datetime) -> None:
    """What follows from the readings; an alert whose subject is not among them any more ends."""
    unsettled = {alert.subject: alert for alert in Alert.objects.filter(rule=rule, state__in=OPEN_STATES)}
    holding = {reading.subject for reading in readings if holds(rule, reading)}
    told = last_told(rule, holding)
    for reading in readings:
        alert = unsettled.pop(reading.subject, None)
        decision = decide_on(rule, holds(rule, reading), alert, told.get(reading.subject), now)
        act(rule, decision, reading, alert, now)
    for alert in unsettled.values():
        decision = decide_on(rule, False, alert, alert.told_at, now)
        act(rule, decision, None, alert, now)


def holds(rule: AlertRule, reading: Reading) -> bool:
    return Operator(rule.operator).holds(reading.value, rule.threshold)


def last_told(rule: AlertRule, subjects: set[str]) -> dict[str, datetime.datetime]:
    since = Alert.objects.filter(rule=rule, subject__in=subjects, told_at__isnull=False)
    return dict(since.values_list("subject").annotate(last=Max("told_at")))


def decide_on(
    rule: AlertRule, is_so: bool, alert: Alert | None, told_at: datetime.datetime | None, now: datetime.datetime
) -> Decision:
    standing = Standing(
        since=alert.since.timestamp() if alert else None,
        open=alert is not None and alert.state == Alert.State.OPEN,
        is_told=alert is not None and alert.told_at is not None,
        told_at=told_at.timestamp() if told_at else None,
    )
    return decide(
        is_so,
        standing,
        now.timestamp(),
        window=0 if rule.fact.counts else rule.window,
        cooldown=rule.cooldown,
        muted=rule.muted_until is not None and rule.muted_until > now,
    )


def act(
    rule: AlertRule, decision: Decision, reading: Reading | None, alert: Alert | None, now: datetime.datetime
) -> None:
    if decision.step is Step.FORGET and alert is not None:
        alert.delete()
        return
    if decision.step is Step.RESOLVE and alert is not None:
        resolve(alert, reading, now)
        if decision.tells:
            tell(rule, alert, Announcement.State.RESOLVED)
        return
    if reading is None or (decision.step is Step.NOTHING and alert is None):
        return
    if alert is None:
        alert = begin(rule, reading, now)
    alert.last_value, alert.link = reading.value, reading.link
    if decision.step is Step.OPEN:
        alert.state, alert.opened_at, alert.value = Alert.State.OPEN, now, reading.value
    if decision.tells:
        alert.told_at = now
    alert.save()
    if decision.tells:
        tell(rule, alert, Announcement.State.OPEN)


def begin(rule: AlertRule, reading: Reading, now: datetime.datetime) -> Alert:
    return Alert(
        rule=rule,
        rule_name=rule.name,
        metric=rule.metric,
        condition=rule.condition,
        unit=rule.fact.unit,
        severity=rule.severity,
        subject=reading.subject,
        team=reading.team,
        since=now,
        value=reading.value,
    )


def resolve(alert: Alert, reading: Reading | None, now: datetime.datetime) -> None:
    alert.state, alert.resolved_at = Alert.State.RESOLVED, now
    if reading is not None:
        alert.last_value = reading.value
    alert.save(update_fields=["state", "resolved_at", "last_value"])


def tell(rule: AlertRule, alert: Alert, state: str) -> None:
    subject = f"{alert.subject}: " if alert.subject else ""
    title = f"{subject}{rule.fact.title} {alert.last_value:.4g} {alert.unit}"
    text = f"{rule.name}: {alert.condition}. {rule.note}".strip()
    if state == Announcement.State.RESOLVED:
        title = f"Over: {subject}{rule.fact.title}"
        text = f"{rule.name}: {alert.condition}. It lasted {lasted(alert)}."
    announce(
        Kind.ALERT,
        alert.severity,
        title,
        text,
        alert.link,
        f"alert:{alert.pk}:{state}",
        alert.team or None,
        state=state,
        channels=rule.channels,
        alert=alert,
    )


def lasted(alert: Alert) -> str:
    seconds = int(((alert.resolved_at or timezone.now()) - (alert.opened_at or alert.since)).total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def end_orphans(now: datetime.datetime) -> None:
    """Of rules that are gone or switched off: nobody looks at them any more, and nobody is told."""
    orphans = Alert.objects.filter(state__in=OPEN_STATES).exclude(rule__enabled=True)
    orphans.filter(state=Alert.State.PENDING).delete()
    orphans.filter(state=Alert.State.OPEN).update(state=Alert.State.RESOLVED, resolved_at=now)


@dataclass(frozen=True, slots=True)
class Present:
    """What a rule would say now of one thing."""

    reading: Reading
    holds: bool


def try_rule(rule: AlertRule, now: datetime.datetime | None = None) -> list[Present] | None:
    """Its readings now, those for which its condition holds first; None: it cannot be looked at. Writes no alert."""
    readings = read(rule, readers_at(now or timezone.now()))
    if readings is None:
        return None
    return sorted((Present(found, holds(rule, found)) for found in readings), key=lambda each: not each.holds)
