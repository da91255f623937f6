"""Saving a view, and removing it; each is written down."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from dashboard.access import Viewer, guarded
from dashboard.auditing import note
from dashboard.models import AuditEvent, SavedView
from dashboard.pages import Need
from dashboard.queries.views import MOST, PAGES, kept_query, teams_of, visible_views
from gateway.models import Team


@require_POST
@guarded(Need.FIGURES)
def save_view(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """From `page`, `name`, `query` and `team` (none: for oneself). The same name again replaces it."""
    page, query = request.POST.get("page", ""), kept_query(request.POST.get("query", ""))
    if page not in PAGES:
        raise Http404("Nothing can be saved of this page.")
    name = request.POST.get("name", "").replace("\0", "").strip()[:80]
    if name and SavedView.objects.filter(owner=viewer.user).count() < MOST:
        wanted = request.POST.get("team", "")
        team = Team.objects.filter(name=wanted).first() if wanted in teams_of(viewer) else None
        SavedView.objects.update_or_create(
            owner=viewer.user, page=page, name=name, defaults={"query": query, "team": team}
        )
        shared = f"shared with {team}" if team else "for oneself"
        note(
            AuditEvent.Action.CHANGED, request=request, target=f"saved view {name}", details=f"{page}?{query}, {shared}"
        )
    return redirect(f"{reverse(f'd:{page}')}?{query}")


@require_POST
@guarded(Need.FIGURES)
def remove_view(request: HttpRequest, viewer: Viewer, view_id: int) -> HttpResponse:
    """One's own; those of others only by who sees every team."""
    view = get_object_or_404(visible_views(viewer), pk=view_id)
    if view.owner_id != viewer.user.pk and viewer.rows.teams is not None:
        raise Http404("It belongs to somebody else.")
    view.delete()
    note(AuditEvent.Action.CHANGED, request=request, target=f"saved view {view.name}", details="removed")
    return redirect(f"{reverse(f'd:{view.page}')}?{kept_query(request.POST.get('query', ''))}")
