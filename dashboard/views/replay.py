"""Sending a request once more: a page that says what it costs and asks, and the deed, which is written down."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.access import Viewer, guarded, refuse
from dashboard.auditing import note
from dashboard.models import AuditEvent
from dashboard.pages import Need
from dashboard.queries.replaying import may_replay, plan_of, told_of
from dashboard.shell import show
from dashboard.views.request import find
from gateway.models import RequestLog
from gateway.replaying import Begun, Busy, Unreachable, begin_replay

WAIT_SECONDS: Final = 20.0
"""For the head of the answer; a longer one is found among what is related."""


@require_http_methods(["GET", "HEAD", "POST"])
@guarded(Need.ROWS)
def request_replay(request: HttpRequest, viewer: Viewer, request_id: UUID) -> HttpResponse:
    """A POST leads to the page of the new request, or, when its answer takes long to begin, to what is related."""
    row = find(viewer, request_id)
    if not may_replay(viewer, row):
        return refuse(request)
    plan, reason = plan_of(row)
    context = told_of(row, plan, reason)
    if plan is None or request.method != "POST":
        return show(request, viewer, "requests", "dashboard/request/replay.html", context)
    # Before it is sent: what becomes of it, and of this process, is not known yet.
    noted(request, row, f"asked for, to {plan.provider}")
    try:
        begun = begin_replay(plan, row.id, WAIT_SECONDS)
    except (Busy, Unreachable) as problem:
        noted(request, row, f"to {plan.provider}, {problem}")
        context |= {"problem": str(problem)}
        return show(request, viewer, "requests", "dashboard/request/replay.html", context, status=503)
    noted(request, row, f"to {plan.provider}, {said_of(begun)}")
    if begun is None:
        return redirect(reverse("d:request", args=[row.id]) + "?tab=related")
    if begun.id is None:
        context |= {"problem": f"The gateway answered {begun.status} and made no request of it."}
        return show(request, viewer, "requests", "dashboard/request/replay.html", context, status=502)
    return redirect(reverse("d:request", args=[begun.id]))


def noted(request: HttpRequest, row: RequestLog, details: str) -> None:
    note(AuditEvent.Action.CHANGED, request=request, target=f"replay of request {row.id}", details=details)


def said_of(begun: Begun | None) -> str:
    if begun is None:
        return "not answered yet"
    return f"{begun.status}, as {begun.id or 'nothing'}"
