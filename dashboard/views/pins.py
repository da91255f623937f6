"""Pinning a request with a note, and the list of what is pinned; each change is written down."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from dashboard.access import Viewer, guarded, page
from dashboard.auditing import note
from dashboard.models import AuditEvent, PinnedRequest
from dashboard.pages import Need
from dashboard.queries.pins import LONGEST, MOST, read_pins, team_to_share_with, visible_pins
from dashboard.shell import show
from dashboard.views.request import find


@page("pinned")
def pins(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    return show(request, viewer, "pinned", "dashboard/pinned.html", {"pins": read_pins(viewer)})


@require_POST
@guarded(Need.FIGURES)
def pin_request(request: HttpRequest, viewer: Viewer, request_id: UUID) -> HttpResponse:
    """From `note`, and `team` when the request's team is to see it. Once more changes what is there."""
    row = find(viewer, request_id)
    own = PinnedRequest.objects.filter(owner=viewer.user)
    words = request.POST.get("note", "").replace("\0", "").strip()[:LONGEST]
    if own.count() >= MOST and not own.filter(request_id=row.id).exists():
        full = {"pins": read_pins(viewer), "full": row.id, "note": words}
        return show(request, viewer, "pinned", "dashboard/pinned.html", full, status=409)
    team = team_to_share_with(viewer, row, bool(request.POST.get("team")))
    PinnedRequest.objects.update_or_create(owner=viewer.user, request_id=row.id, defaults={"note": words, "team": team})
    shared = f"shared with {team}" if team else "for oneself"
    note(AuditEvent.Action.CHANGED, request=request, target=f"pin of request {row.id}", details=shared)
    return redirect(reverse("d:request", args=[row.id]))


@require_POST
@guarded(Need.FIGURES)
def remove_pin(request: HttpRequest, viewer: Viewer, pin_id: int) -> HttpResponse:
    """One's own; those of others only by who sees every team. Leads back to the list when it was taken away there."""
    pin = get_object_or_404(visible_pins(viewer), pk=pin_id)
    if pin.owner_id != viewer.user.pk and viewer.rows.teams is not None:
        raise Http404("It belongs to somebody else.")
    pin.delete()
    note(AuditEvent.Action.CHANGED, request=request, target=f"pin of request {pin.request_id}", details="removed")
    if request.POST.get("from") == "list":
        return redirect(reverse("d:pinned"))
    return redirect(reverse("d:request", args=[pin.request_id]))
