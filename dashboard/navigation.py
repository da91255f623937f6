"""What the admin's theme asks for by name: the sidebar, the icon, the style sheet (see UNFOLD in the settings)."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

from dashboard.access import Viewer
from dashboard.pages import Page
from dashboard.shell import pages_for

GROUPS = (
    (
        "History",
        (
            ("Requests", "list_alt", "gateway.requestlog"),
            ("Usage", "monitoring", "gateway.rolluphour"),
            ("Capabilities", "extension", "gateway.capability"),
            ("Findings", "key_visualizer", "gateway.finding"),
            ("Dead letters", "unsubscribe", "gateway.deadletter"),
        ),
    ),
    (
        "Grading",
        (
            ("Grades", "grading", "gateway.grade"),
            ("Rubrics", "rule", "gateway.rubric"),
            ("Judge and sampling", "gavel", "gateway.gradingsettings"),
        ),
    ),
    (
        "Money",
        (
            ("Prices", "sell", "gateway.modelprice"),
            ("Recomputations", "calculate", "gateway.costrun"),
            ("Time zones of days", "schedule", "gateway.rollupzone"),
        ),
    ),
    (
        "Configuration",
        (
            ("Providers", "dns", "gateway.provider"),
            ("Credentials", "key", "gateway.credential"),
            ("Model routes", "alt_route", "gateway.modelroute"),
            ("Header rules", "rule", "gateway.headerrule"),
            ("Capture policies", "visibility_off", "gateway.capturepolicy"),
            ("Content rules", "policy_alert", "gateway.contentrule"),
            ("Redactions", "ink_eraser", "gateway.redaction"),
            ("Outbound proxies", "vpn_lock", "gateway.outboundproxy"),
            ("Teams", "groups", "gateway.team"),
            ("API keys", "vpn_key", "gateway.apikey"),
            ("Settings", "tune", "gateway.gatewaysettings"),
            ("Versions", "history", "gateway.configurationrevision"),
        ),
    ),
    (
        "Limits and budgets",
        (
            ("Limits", "speed", "gateway.limit"),
            ("Budgets", "savings", "gateway.budget"),
            ("Standing", "donut_large", "gateway.budgetstanding"),
            ("Budget warnings", "notifications", "gateway.budgetevent"),
        ),
    ),
    (
        "Alerts",
        (
            ("Alert rules", "notification_important", "gateway.alertrule"),
            ("Channels", "send", "gateway.alertchannel"),
            ("What was told", "campaign", "gateway.announcement"),
            ("Deliveries", "outgoing_mail", "gateway.delivery"),
        ),
    ),
    (
        "Kept answers",
        (("Cache rules", "cached", "gateway.cacherule"), ("Clearings", "delete_sweep", "gateway.cacheclearing")),
    ),
    (
        "Resilience",
        (
            ("Processes, live", "monitor_heart", "gateway.fleetstate"),
            ("Breakers held", "front_hand", "gateway.breakerhold"),
            ("Breaker transitions", "electrical_services", "gateway.breakertransition"),
        ),
    ),
    (
        "People",
        (
            ("Users", "person", "auth.user"),
            ("Members", "badge", "gateway.member"),
            ("Audit log", "policy", "dashboard.auditevent"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of links, each shown to those who may see what it leads to."""
    looking = [item_of(page) for page in pages_for(Viewer.of(request.user))] if request.user.is_authenticated else []
    return [{"title": "Look", "separator": False, "items": looking}] + [
        {
            "title": title,
            "separator": True,
            "items": [found for found in (link(request, *item) for item in items) if found] + checks(request, title),
        }
        for title, items in GROUPS
    ]


def item_of(page: Page) -> dict[str, Any]:
    # By the whole address: every page under /d/ begins with that of the overview.
    return {"title": page.title, "icon": page.icon, "link": page.address, "active": False}


def checks(request: HttpRequest, group: str) -> list[dict[str, Any]]:
    """Pages of the history that list no rows."""
    if group != "History" or not request.user.is_superuser:
        return []
    return [{"title": "Self-test", "icon": "fact_check", "link": reverse("admin:selftest")}]


def link(request: HttpRequest, title: str, icon: str, label: str) -> dict[str, Any] | None:
    model_admin = admin.site._registry.get(apps.get_model(label))
    if model_admin is None or not model_admin.has_view_permission(request):
        return None
    address = reverse(f"admin:{label.replace('.', '_')}_changelist")
    return {"title": title, "icon": icon, "link": address}


def favicon(request: HttpRequest) -> str:
    return static("turnlog/favicon.svg")


def stylesheet(request: HttpRequest) -> str:
    return static("turnlog/admin.css")
