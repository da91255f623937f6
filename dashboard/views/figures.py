"""The pages of figures: usage and cost, quota, models and latency."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from dashboard.access import Viewer, page
from dashboard.comparing import CHOICES, GIVEN, Against
from dashboard.queries import models as model_figures
from dashboard.queries import quota as quota_figures
from dashboard.queries import usage as usage_figures
from dashboard.queries.usage import GROUPS, Usage, UsageQuery, csv_rows
from dashboard.scope import Scope
from dashboard.shell import show
from gateway.history.quota import Burner, Window
from gateway.history.rollups import zones


class Rows:
    """Addresses of the list of requests, narrowed further than the scope of a page."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        try:
            self.list = reverse("d:requests")
        except NoReverseMatch:
            self.list = reverse("admin:gateway_requestlog_changelist")

    def __call__(self, **changes: str) -> str:
        return self.list + self.scope.address(**changes)


@page("usage")
def usage(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope, now = Scope.read(request.GET.dict()), timezone.now()
    known = zones()
    query = UsageQuery.read(request.GET.dict(), known)
    rows = Rows(scope)
    found = usage_figures.read_usage(query, scope, viewer.figures, now, rows)
    if request.GET.get("format") == "csv":
        return as_csv(query, found)
    context = {
        "usage": found,
        "query": query,
        "group_title": GROUPS[query.group],
        "groups": [(title, address(scope, query, group=name), name == query.group) for name, title in GROUPS.items()],
        "measures": [
            (title, address(scope, query, measure=name), name == query.measure)
            for name, (title, _, _) in usage_figures.MEASURES.items()
        ],
        "zones": [(name, address(scope, query, zone=name), name == query.zone) for name in known] if found.days else [],
        "csv": address(scope, query, format="csv"),
        "rows": [(row, *links_of(row.narrowed, rows)) for row in found.rows],
        "all_rows": rows(),
        "errors": rows(q="status:>=400"),
        "forecast": usage_figures.forecast_month(query.zone, scope, viewer.figures, now),
        "notes": changed(found),
    }
    return show(request, viewer, "usage", "dashboard/usage.html", context, scope=scope)


def links_of(narrowed: dict[str, str] | None, rows: Rows) -> tuple[str, str]:
    """Where a row's requests are listed, and those of them that failed; empty where they cannot be told."""
    if narrowed is None:
        return "", ""
    asked = f"{narrowed.get('q', '')} status:>=400".strip()
    return rows(**narrowed), rows(**(narrowed | {"q": asked}))


def address(scope: Scope, query: UsageQuery, **changes: str) -> str:
    return scope.address(**(query.pairs() | changes))


def changed(found: Usage) -> dict[str, str]:
    """How sums compare with the stretch before, in words."""
    if found.total is None or found.before is None:
        return {}
    told = {}
    for name, column in (("requests", "requests"), ("cost", "cost_usd"), ("output", "output_tokens")):
        now, before = found.total.sums[column], found.before.sums[column]
        if now is not None and before:
            told[name] = f"{float(now) / float(before) - 1:+.0%} against the time before"
    return told


def as_csv(query: UsageQuery, found: Usage) -> HttpResponse:
    text = io.StringIO()
    csv.writer(text).writerows(csv_rows(query, found))
    response = HttpResponse(text.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="turnlog-usage-by-{query.group}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@page("quota")
def quota(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope, now = Scope.read(request.GET.dict()), timezone.now()
    windows = quota_figures.read_quota(viewer.figures, now)
    context: dict[str, Any] = {
        "windows": [(window, burner_links(window, scope)) for window in windows],
        "accounts": len({window.account for window in windows}),
        "overages": quota_figures.overages((window.account for window in windows), now),
        "advice": quota_figures.advice(windows),
        "refusals": quota_figures.refusals(viewer.figures, now) if windows else None,
    }
    return show(request, viewer, "quota", "dashboard/quota.html", context, scope=scope, bar=("team", "key"))


def burner_links(window: Window, narrowed: Scope) -> list[tuple[Burner, str]]:
    since = usage_figures.stamp(window.begins) if window.begins else ""
    rows = Rows(Scope(since=since, until=usage_figures.stamp(window.resets_at) if window.resets_at and since else ""))
    return [
        (burner, rows(**{name: value for name, value in (("key", burner.name), ("team", burner.team)) if value}))
        for burner in quota_figures.shown_burners(window, narrowed)
    ]


@page("models")
def models(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope, now = Scope.read(request.GET.dict()), timezone.now()
    against = Against.read(request.GET.dict())
    asked = request.GET.get("measure", "")
    measure = asked if asked in model_figures.MEASURES else "first_byte"
    rows = Rows(scope)
    zone = next(iter(zones()), "UTC")
    found = model_figures.read_models(measure, scope, zone, viewer.figures, now, rows, against)
    since, until = against.bounds(scope, now)
    found |= {
        "against": against,
        "against_bounds": (usage_figures.stamp(since), usage_figures.stamp(until)),
        "against_given": against.name == GIVEN,
        "against_choices": CHOICES.items(),
        "kept": list(scope.pairs()),
    }
    found["links"] = [
        (title, scope.address(measure=name, **against.pairs()), name == measure)
        for name, title in model_figures.MEASURES.items()
    ]
    found["rows"] = [
        (row, rows(**{key: value for key, value in (("model", row.model), ("provider", row.provider)) if value}))
        for row in found["rows"]
    ]
    found["stops"] = [(*stop, rows(q=f'stop:"{stop[0]}"')) for stop in found["stops"]]
    also = {"measure": measure if asked else "", **against.pairs()}
    return show(request, viewer, "models", "dashboard/models.html", found, scope=scope, also=also)
