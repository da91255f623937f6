"""Circuit breakers: held by hand, what they did, and what the running processes know of their providers."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html

from gateway.admin.site import ModelAdmin
from gateway.admin.versioned import VersionedAdmin
from gateway.models import BreakerHold, BreakerTransition, FleetState


@admin.register(BreakerHold)
class BreakerHoldAdmin(VersionedAdmin):
    """Adding one holds the breaker at once; removing it lets the breaker go, as new."""

    list_display = ("provider", "model", "state", "reason", "author", "made_at")
    list_select_related = ("provider", "author")
    fields = ("provider", "model", "state", "reason")
    autocomplete_fields = ("provider",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.author = request.user
        super().save_model(request, obj, form, change)


class SeenOnly(ModelAdmin[Any]):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(BreakerTransition)
class BreakerTransitionAdmin(SeenOnly):
    list_display = ("at", "provider", "model", "before", "after", "reason", "process")
    list_filter = ("provider", "after")
    search_fields = ("provider", "model", "reason")


@admin.register(FleetState)
class FleetStateAdmin(SeenOnly):
    """Live: told by each process every few seconds."""

    list_display = ("process", "told_at", "breakers", "credentials", "queues")
    fields = ("process", "told_at", "whole")
    readonly_fields = fields

    @admin.display(description="Breakers not closed")
    def breakers(self, row: FleetState) -> str:
        told = [b for b in row.state.get("breakers", []) if b["state"] != "closed"]
        return ", ".join(f"{b['provider']} {b['model']}: {b['state']}" for b in told) or "none"

    @admin.display(description="Credentials that rest or were rejected")
    def credentials(self, row: FleetState) -> str:
        told = [c for c in row.state.get("credentials", []) if c["rejected"] or c["rests_seconds"]]
        return ", ".join(f"{c['provider']}/{c['name']}: {c['rejected'] or 'rests'}" for c in told) or "none"

    @admin.display(description="Queues")
    def queues(self, row: FleetState) -> str:
        told = row.state.get("queues", [])
        return ", ".join(f"{q['provider']}: {q['running']} running, {q['waiting']} waiting" for q in told) or "none"

    @admin.display(description="All it knows")
    def whole(self, row: FleetState) -> str:
        return format_html("<pre>{}</pre>", json.dumps(row.state, indent=2))
