"""The lists of requests and of what fails."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from dashboard.access import Viewer, page
from dashboard.charts import spark_points
from dashboard.queries.errors import read_errors
from dashboard.queries.request_files import FORMS, read_rows
from dashboard.queries.request_query import read_request_query
from dashboard.queries.requests import find, read_requests
from dashboard.queries.views import views_of
from dashboard.scope import Scope
from dashboard.shell import show


@page("requests")
def requests(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    query = request.GET.dict()
    scope = Scope.read(query)
    found = read_requests(viewer, scope, query) | {"views": views_of(viewer, "requests", query)}
    return show(request, viewer, "requests", "dashboard/requests.html", found, scope=scope)


@page("requests")
def requests_file(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """What the list finds, as a file; `format` is one of FORMS, csv when it says nothing. It being a file, the audit
    log has it."""
    form = request.GET.get("format", "csv") if request.GET.get("format", "csv") in FORMS else "csv"
    asked = read_request_query(request.GET.get("q", ""))
    found = find(viewer, Scope.read(request.GET.dict()), asked)
    if asked.problems:
        return HttpResponse("\n".join(asked.problems), status=400, content_type="text/plain; charset=utf-8")
    _, content_type, write = FORMS[form]
    response = HttpResponse(write(read_rows(found.matching)), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="turnlog-requests.{form}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@page("errors")
def errors(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope = Scope.read(request.GET.dict())
    found = read_errors(viewer, scope)
    groups = [(group, scope.address(q=group.query), spark_points(group.counts)) for group in found["groups"]]
    found |= {"groups": groups, "views": views_of(viewer, "errors", request.GET.dict())}
    return show(request, viewer, "errors", "dashboard/errors.html", found, scope=scope)
