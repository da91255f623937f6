"""The lists of requests and of what fails."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard.access import Viewer, guarded, page
from dashboard.charts import spark_points
from dashboard.models import MutedError
from dashboard.pages import Need
from dashboard.queries.alerts import MUTES
from dashboard.queries.errors import LONGEST_MUTE, mutes_of, read_errors
from dashboard.queries.request_columns import address_of, chosen_of
from dashboard.queries.request_files import FORMS, read_rows
from dashboard.queries.request_query import read_request_query
from dashboard.queries.requests import find, read_requests
from dashboard.queries.views import kept_query, views_of
from dashboard.scope import Scope
from dashboard.shell import show

MOST_MUTED = 200
"""Of one person."""


@page("requests")
def requests(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    query = request.GET.dict()
    names = request.GET.getlist("columns")
    if len(names) > 1:  # as the form of the columns sends them
        asked = query | {"columns": address_of(chosen_of(names))}
        return redirect(f"{reverse('d:requests')}?{urlencode({name: asked[name] for name in asked if asked[name]})}")
    scope = Scope.read(query)
    found = read_requests(viewer, scope, query)
    found["views"] = views_of(viewer, "requests", query | {"columns": found["chosen_columns"]})
    also = {"q": found["q"], "columns": found["chosen_columns"]}
    return show(request, viewer, "requests", "dashboard/requests.html", found, scope=scope, also=also)


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
    found |= {
        name: [(group, scope.address(q=group.query), spark_points(group.counts)) for group in found[name]]
        for name in ("groups", "muted")
    }
    found |= {"views": views_of(viewer, "errors", request.GET.dict()), "kept": scope.kept.removeprefix("?")}
    return show(request, viewer, "errors", "dashboard/errors.html", found, scope=scope)


@require_POST
@guarded(Need.FIGURES)
def mute_error(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """For oneself, the group that `query` names by its mute; `for`: one of MUTES, anything else ends what mutes it.
    `back`: the query string of the page it was done on."""
    query = request.POST.get("query", "").replace("\0", "").strip()[:LONGEST_MUTE]
    _, hours = MUTES.get(request.POST.get("for", ""), ("", 0))
    own = MutedError.objects.filter(owner=viewer.user)
    own.filter(until__lte=timezone.now()).delete()
    if query and hours and own.count() < MOST_MUTED:
        until = timezone.now() + timedelta(hours=hours)
        MutedError.objects.update_or_create(owner=viewer.user, query=query, defaults={"until": until})
    else:
        own.filter(query__in=mutes_of(query)).delete()
    return redirect(f"{reverse('d:errors')}?{kept_query(request.POST.get('back', ''))}")
