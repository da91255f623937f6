"""The lists of requests and of what fails."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from dashboard.access import Viewer, page
from dashboard.charts import spark_points
from dashboard.queries.errors import read_errors
from dashboard.queries.requests import read_requests
from dashboard.queries.views import views_of
from dashboard.scope import Scope
from dashboard.shell import show


@page("requests")
def requests(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    query = request.GET.dict()
    scope = Scope.read(query)
    found = read_requests(viewer, scope, query) | {"views": views_of(viewer, "requests", query)}
    return show(request, viewer, "requests", "dashboard/requests.html", found, scope=scope)


@page("errors")
def errors(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope = Scope.read(request.GET.dict())
    found = read_errors(viewer, scope)
    groups = [(group, scope.address(q=group.query), spark_points(group.counts)) for group in found["groups"]]
    found |= {"groups": groups, "views": views_of(viewer, "errors", request.GET.dict())}
    return show(request, viewer, "errors", "dashboard/errors.html", found, scope=scope)
