"""Capture policies: whose requests are kept whole, in part, or only counted."""

from __future__ import annotations

from django.contrib import admin

from gateway.admin.versioned import VersionedAdmin
from gateway.models import CapturePolicy


@admin.register(CapturePolicy)
class CapturePolicyAdmin(VersionedAdmin):
    list_display = ("name", "position", "mode", "only_for", "masked", "max_bytes", "enabled")
    list_display_links = ("name",)
    list_editable = ("position", "enabled")
    list_filter = ("mode", "enabled")
    search_fields = ("name", "note")
    fieldsets = (
        (
            None,
            {
                "description": "The first that fits decides, before anything is written: what is not to be kept is "
                "never on disk. What is sent to the provider does not change.",
                "fields": (("name", "position"), "mode", ("max_bytes", "masks"), ("enabled", "note")),
            },
        ),
        (
            "For whom",
            {
                "description": "All must hold; empty: everybody.",
                "fields": (("teams", "members", "keys"), ("models", "paths")),
            },
        ),
    )

    @admin.display(description="Only for")
    def only_for(self, row: CapturePolicy) -> str:
        return ", ".join([*row.teams, *row.members, *row.keys, *row.models, *row.paths]) or "all"

    @admin.display(description="Masks")
    def masked(self, row: CapturePolicy) -> str:
        return ", ".join(row.masks)
