"""Turnlog itself: whether its numbers can be trusted, and how one connects to it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.access import Viewer, guarded, page
from dashboard.pages import Need
from dashboard.queries.allowances import read_allowances
from dashboard.queries.health import read_health
from dashboard.queries.own_usage import read_own_usage
from dashboard.shell import notices_of, show
from dashboard.views.landing import asks_for_a_key, base_url
from gateway.models import ApiKey, Member, RequestLog
from proxy_project.embedded.connect import connection_lines


@page("health")
def health(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    return show(request, viewer, "health", "dashboard/health.html", read_health())


@require_safe
@guarded(Need.FIGURES)
def notices(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """What stands above every page; each asks for it again every half minute."""
    return render(request, "dashboard/parts/notices.html", {"notices": notices_of(viewer)})


@page("me")
def me(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    context = {
        "base_url": base_url(request),
        "keyed": asks_for_a_key(),
        "keys": list(ApiKey.objects.filter(owner=viewer.user).select_related("team")),
        "places": list(Member.objects.filter(user=viewer.user).select_related("team")),
        "connect": connection_lines(base_url(request), keyed=asks_for_a_key()),
    }
    context |= newest_of(viewer) | read_allowances(viewer.user) | read_own_usage(viewer, timezone.now())
    return show(request, viewer, "me", "dashboard/me.html", context)


@require_safe
@guarded(Need.NOTHING)
def first_request(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The light alone: the page asks again every two seconds until it is green."""
    return render(request, "dashboard/parts/light.html", newest_of(viewer))


def newest_of(viewer: Viewer) -> dict[str, Any]:
    """The newest request of one's own keys; in open mode, where nobody has one, the newest that may be seen."""
    keys = list(ApiKey.objects.filter(owner=viewer.user).values_list("name", flat=True))
    rows = viewer.figures.requests()
    if keys:
        rows = RequestLog.objects.filter(access_key__in=keys)
    return {
        "newest": rows.order_by("-id").only("id", "started_at", "client", "model", "outcome").first(),
        "own": bool(keys),
    }
