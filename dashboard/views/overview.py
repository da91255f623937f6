"""Is it healthy, what does it cost, who is busy: the first page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from dashboard.access import Viewer, page
from dashboard.pages import BY_NAME
from dashboard.queries.overview import read_overview
from dashboard.scope import Scope
from dashboard.shell import show
from dashboard.views.landing import asks_for_a_key, base_url
from proxy_project.embedded.connect import connection_lines


@page("overview")
def overview(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope = Scope.read(request.GET.dict())
    context = overview_context(request, viewer, scope)
    return show(request, viewer, "overview", "dashboard/overview.html", context, scope=scope)


def overview_context(request: HttpRequest, viewer: Viewer, scope: Scope) -> dict[str, Any]:
    """What `parts/overview.html` shows. `connect`: how a client is connected, where nothing ever came."""
    found = read_overview(viewer, scope) | {"live_url": BY_NAME["live"].address}
    if found["total"] is None and not viewer.figures.requests().exists():
        found["connect"] = connection_lines(base_url(request), keyed=asks_for_a_key())
    return found
