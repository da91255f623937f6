"""Is it healthy, what does it cost, who is busy: the first page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from dashboard.access import Viewer, page
from dashboard.queries.overview import read_overview
from dashboard.scope import Scope
from dashboard.shell import show


@page("overview")
def overview(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope = Scope.read(request.GET.dict())
    return show(request, viewer, "overview", "dashboard/overview.html", read_overview(viewer, scope), scope=scope)
