"""What the overview shows, out of the sums by hour."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from dashboard.access import Viewer
from dashboard.charts import Chart, Series
from dashboard.keyset import read_keyset
from dashboard.scope import HOUR, Scope
from gateway.dialects.names import Outcome
from gateway.history.figures import TIME, added_up, read_figures

LISTED = ("id", "started_at", "model", "requested_model", "status_code", "outcome", "response__error_message")


def read_overview(viewer: Viewer, scope: Scope) -> dict[str, Any]:
    """The template's context."""
    span = scope.hours()
    found = read_figures(span, (TIME, "model"), teams=viewer.figures.teams, only=scope.only(), latencies=False)
    total = added_up(found)
    failed = scope.rows(viewer.figures).exclude(outcome=Outcome.COMPLETED).select_related("response").only(*LISTED)
    newest = read_keyset(failed, {}, scope.address, size=5).rows
    return {"errors": newest, "total": total.sums if total else None, "chart": by_model(found, span.since, span.until)}


def by_model(found: list[Any], since: Any, until: Any) -> Chart:
    times: list[datetime] = [since + HOUR * at for at in range((until - since) // HOUR)]
    models: dict[str, dict[datetime, int]] = {}
    for figures in found:
        models.setdefault(figures.group["model"], {})[figures.group[TIME]] = figures.sums["requests"]
    series = [Series(model or "unknown", [counts.get(at, 0) for at in times]) for model, counts in models.items()]
    return Chart("Requests by model", times, series)
