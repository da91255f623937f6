"""Is it healthy, what does it cost, who is busy: the first page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.access import Viewer, guarded, page
from dashboard.pages import BY_NAME, Need
from dashboard.queries.health import reconciled
from dashboard.queries.overview import read_overview
from dashboard.scope import Scope
from dashboard.shell import show
from dashboard.templatetags.figures import short_figure, short_usd
from dashboard.views.landing import asks_for_a_key, base_url
from proxy_project.embedded.connect import connection_lines


@page("overview")
def overview(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope = Scope.read(request.GET.dict())
    context = overview_context(request, viewer, scope)
    return show(request, viewer, "overview", "dashboard/overview.html", context, scope=scope)


@require_safe
@guarded(Need.FIGURES)
def overview_line(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """What moves by itself: what is in flight, and the reconciliation line."""
    context = {"status": reconciled(), "live_url": BY_NAME["live"].address}
    return render(request, "dashboard/parts/overview_line.html", context)


def overview_context(request: HttpRequest, viewer: Viewer, scope: Scope) -> dict[str, Any]:
    """What `parts/overview.html` shows. `connect`: how a client is connected, where nothing ever came."""
    found = read_overview(viewer, scope) | {"live_url": BY_NAME["live"].address}
    month, sent = found["month"], found["sent_tokens"]
    found["month_note"] = "" if month is None else f"month ≈ {short_usd(month.expected)}"
    found["sent_note"] = "" if sent is None else f"of {short_figure(sent)} tokens in"
    if found["total"] is None and not viewer.figures.requests().exists():
        found["connect"] = connection_lines(base_url(request), keyed=asks_for_a_key())
    return found
