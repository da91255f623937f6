"""What happens now: the tail of requests, and what every agent is at."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.access import Viewer, guarded, page
from dashboard.live.hub import hub
from dashboard.pages import Need
from dashboard.queries.agents import read_agents
from dashboard.scope import COLUMNS, Scope
from dashboard.shell import show
from gateway.admin.request_filter import TEXT_BOUND

SOCKET = "/d/ws/live"


@page("live")
def live(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope = Scope.read(request.GET.dict())
    context = {"words": request.GET.get("q", "").replace("\0", "")[:TEXT_BOUND], "socket": SOCKET}
    return show(request, viewer, "live", "dashboard/live.html", context, scope=scope, bar=COLUMNS)


@require_safe
@guarded(Need.FIGURES)
def live_since(request: HttpRequest, viewer: Viewer) -> JsonResponse:
    """What came after event `seq` of the board `boot`; all that is known when that cannot be said any more."""
    number = request.GET.get("seq", "")
    since = hub.since(
        request.GET.get("boot", ""), int(number) if number.isascii() and number.isdigit() else 0, viewer.figures.teams
    )
    told: dict[str, Any] = {
        "boot": since.boot,
        "seq": since.number,
        "whole": since.whole,
        "tellers": since.tellers,
        "records": since.records,
    }
    return JsonResponse(told, headers={"Cache-Control": "no-store"})


@page("agents")
def agents(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope = Scope.read(request.GET.dict())
    return show(
        request, viewer, "agents", "dashboard/agents.html", read_agents(viewer, scope), scope=scope, bar=COLUMNS
    )


@require_safe
@guarded(Need.FIGURES)
def agents_now(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The part of the page that changes."""
    found = read_agents(viewer, Scope.read(request.GET.dict()))
    return render(request, "dashboard/parts/agents.html", found)
