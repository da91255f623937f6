"""What each version of each client uses of its API: new things first."""

from __future__ import annotations

import datetime

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from gateway.admin.site import ModelAdmin
from gateway.models import Capability

NEW = datetime.timedelta(days=7)


@admin.register(Capability)
class CapabilityAdmin(ModelAdmin[Capability]):
    """The rows are the loader's."""

    list_display = ("client", "client_version", "kind", "name", "is_new", "first_seen", "last_seen", "state")
    list_filter = ("kind", "client", "dialect")
    list_per_page = 100
    search_fields = ("name", "client_version", "refusal")
    readonly_fields = (
        "client", "client_version", "dialect", "kind", "name", "first_seen", "last_seen", "forwarded_at", "accepted_at",
        "refused_at", "refusal",
    )  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Capability | None = None) -> bool:
        return False

    @admin.display(description="New", boolean=True)
    def is_new(self, seen: Capability) -> bool:
        return timezone.now() - seen.first_seen < NEW

    @admin.display(description="Provider")
    def state(self, seen: Capability) -> str:
        if seen.refused_at and (seen.accepted_at is None or seen.refused_at > seen.accepted_at):
            return f"refused: {seen.refusal[:80]}"
        if seen.accepted_at:
            return "accepted"
        return "sent on" if seen.forwarded_at else "not sent on"
