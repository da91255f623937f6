"""Alerts: looked at, acknowledged, and their rules muted for a while."""

from __future__ import annotations

from datetime import timedelta

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from dashboard.access import Viewer, guarded, page
from dashboard.pages import Need
from dashboard.queries.alerts import MUTES, may_mute, read_alerts, visible_alerts
from dashboard.shell import show
from gateway.models import AlertRule

LONGEST_NOTE = 500


@page("alerts")
def alerts(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    context = read_alerts(viewer, request.GET.dict(), timezone.now())
    return show(request, viewer, "alerts", "dashboard/alerts.html", context)


@require_POST
@guarded(Need.FIGURES)
def acknowledge_alert(request: HttpRequest, viewer: Viewer, alert_id: int) -> HttpResponse:
    """Somebody is at it: `note` says what is done. Another team's alert and none look the same."""
    alert = visible_alerts(viewer).filter(pk=alert_id).first()
    if alert is None:
        raise Http404("There is no such alert.")
    alert.acknowledged_at, alert.acknowledged_by = timezone.now(), viewer.user.get_username()
    alert.acknowledgement = request.POST.get("note", "").replace("\0", "").strip()[:LONGEST_NOTE]
    alert.save(update_fields=["acknowledged_at", "acknowledged_by", "acknowledgement"])
    return HttpResponseRedirect(reverse("d:alerts"))


@require_POST
@guarded(Need.FIGURES)
def mute_rule(request: HttpRequest, viewer: Viewer, rule_id: int) -> HttpResponse:
    """`for`: one of MUTES; anything else ends the mute."""
    if not may_mute(viewer):
        raise PermissionDenied
    rule = AlertRule.objects.filter(pk=rule_id).first()
    if rule is None:
        raise Http404("There is no such rule.")
    _, hours = MUTES.get(request.POST.get("for", ""), ("", 0))
    rule.muted_until = timezone.now() + timedelta(hours=hours) if hours else None
    rule.save(update_fields=["muted_until"])
    return HttpResponseRedirect(reverse("d:alerts"))
