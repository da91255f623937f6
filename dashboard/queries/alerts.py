"""What the page of alerts shows: those that are open, and those that were."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from django.db.models import QuerySet

from dashboard.access import Viewer
from gateway.admin.request_filter import TEXT_BOUND
from gateway.models import Alert, AlertChannel, AlertRule, Delivery
from gateway.policy.alerting import Severity

SHOWN: Final = 50
MOST_OPEN: Final = 200
TONES: Final = {"info": "quiet", "warning": "warn", "critical": "bad"}
SIGNS: Final = {"info": "i", "warning": "▲", "critical": "✕"}
MUTES: Final = {"1h": ("an hour", 1), "24h": ("a day", 24), "7d": ("a week", 168)}
FILTERS: Final = ("rule", "severity", "team")


def visible_alerts(viewer: Viewer) -> QuerySet[Alert]:
    """Of a viewer's teams; what is about no team is for those who see every team's figures."""
    alerts = Alert.objects.exclude(state=Alert.State.PENDING).select_related("rule")
    teams = viewer.figures.figures
    return alerts if teams is None else alerts.filter(team__in=sorted(teams))


def may_mute(viewer: Viewer) -> bool:
    """A rule is everybody's."""
    return bool(viewer.user.has_perm("gateway.change_alertrule"))


def read_alerts(viewer: Viewer, query: Mapping[str, str], now: datetime.datetime) -> dict[str, Any]:
    """The template's context."""
    chosen = {name: query.get(name, "").replace("\0", "").strip()[:TEXT_BOUND] for name in FILTERS}
    if chosen["severity"] not in set(Severity):
        chosen["severity"] = ""
    alerts = narrowed(visible_alerts(viewer), chosen)
    past, older = read_past(alerts.filter(state=Alert.State.RESOLVED), query.get("before", ""))
    return {
        "open": [shown(alert, now) for alert in alerts.filter(state=Alert.State.OPEN)[:MOST_OPEN]],
        "past": [shown(alert, now) for alert in past],
        "older": address(chosen, before=older) if older else "",
        "chosen": {name: value for name, value in chosen.items() if value},
        "severities": [
            (name or "all", address(chosen, severity=name), name == chosen["severity"]) for name in ("", *Severity)
        ],
        "rules": rules_of(viewer, now),
        "may_mute": may_mute(viewer),
        "mutes": [(name, title) for name, (title, _) in MUTES.items()],
        "channels": AlertChannel.objects.filter(enabled=True).count(),
        "failed": Delivery.objects.filter(state=Delivery.State.FAILED, tried_at__gte=now - datetime.timedelta(days=1)),
        "sees_all": viewer.figures.figures is None,
    }


def narrowed(alerts: QuerySet[Alert], chosen: Mapping[str, str]) -> QuerySet[Alert]:
    columns = {"rule": "rule_name", "severity": "severity", "team": "team"}
    return alerts.filter(**{columns[name]: value for name, value in chosen.items() if value})


def read_past(alerts: QuerySet[Alert], before: str) -> tuple[list[Alert], str]:
    """A page of them, the newest first, and where the next one begins."""
    if before.isascii() and before.isdigit():
        alerts = alerts.filter(pk__lt=int(before[:18]))
    found = list(alerts.order_by("-pk")[: SHOWN + 1])
    return found[:SHOWN], str(found[SHOWN - 1].pk) if len(found) > SHOWN else ""


def address(chosen: Mapping[str, str], **changes: str) -> str:
    values = {name: value for name, value in (dict(chosen) | changes).items() if value}
    return f"?{urlencode(values)}" if values else "?"


def shown(alert: Alert, now: datetime.datetime) -> dict[str, Any]:
    began = alert.opened_at or alert.since
    return {
        "row": alert,
        "tone": TONES[alert.severity],
        "sign": SIGNS[alert.severity],
        "lasted": int(((alert.resolved_at or now) - began).total_seconds() * 1000),
        "muted_until": muted_until(alert.rule, now),
    }


def muted_until(rule: AlertRule | None, now: datetime.datetime) -> datetime.datetime | None:
    until = rule.muted_until if rule is not None else None
    return until if until is not None and until > now else None


def rules_of(viewer: Viewer, now: datetime.datetime) -> list[dict[str, Any]]:
    """All of them, for those who see every team: what is watched at all."""
    if viewer.figures.figures is not None:
        return []
    return [
        {"row": rule, "tone": TONES[rule.severity], "sign": SIGNS[rule.severity], "muted_until": muted_until(rule, now)}
        for rule in AlertRule.objects.all()[:MOST_OPEN]
    ]
