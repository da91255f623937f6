"""What texts are watched for, what was found, and what is hidden from those who read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from gateway.admin.site import ModelAdmin
from gateway.admin.versioned import VersionedAdmin
from gateway.history.visibility import visible_to
from gateway.models import Blob, ContentRule, Finding, Redaction
from gateway.policy.secret_shapes import Severity

TONES = {Severity.HIGH.value: "bad", Severity.MEDIUM.value: "warn", Severity.LOW.value: "quiet"}


@admin.register(ContentRule)
class ContentRuleAdmin(VersionedAdmin):
    list_display = ("name", "detector", "action", "severity", "only_for", "enabled")
    list_editable = ("enabled",)
    list_filter = ("detector", "action", "enabled")
    search_fields = ("name", "note")
    fieldsets = (
        (
            None,
            {
                "description": "Every text that is stored is looked at once, by the worker; what is found is listed "
                "under Findings: where, never what. Refuse is decided before a request goes out, by its newest text. "
                "What is sent and what is stored never change.",
                "fields": ("name", "detector", "patterns", ("action", "severity"), "message", ("enabled", "note")),
            },
        ),
        (
            "For whom",
            {"description": "All must hold; empty: everybody.", "fields": (("teams", "keys", "models"),)},
        ),
    )

    @admin.display(description="Only for")
    def only_for(self, row: ContentRule) -> str:
        return ", ".join([*row.teams, *row.keys, *row.models]) or "all"


@admin.register(Redaction)
class RedactionAdmin(VersionedAdmin):
    list_display = ("name", "hides", "only_for", "revealed", "enabled")
    list_editable = ("enabled",)
    list_filter = ("enabled",)
    search_fields = ("name", "note")
    fieldsets = (
        (
            None,
            {
                "description": "Hides passages from those who read stored text on pages and by the read API. What is "
                "stored, sent and relayed never changes, and commands in a terminal show everything.",
                "fields": ("name", "patterns", "secrets", ("enabled", "note")),
            },
        ),
        ("Of whom, and who may look", {"fields": (("teams", "revealed_by"),)}),
    )

    @admin.display(description="Hides")
    def hides(self, row: Redaction) -> str:
        return ", ".join([*(["secrets"] if row.secrets else []), *row.patterns])

    @admin.display(description="In what is said by")
    def only_for(self, row: Redaction) -> str:
        return ", ".join(row.teams) or "all"

    @admin.display(description="May be seen by")
    def revealed(self, row: Redaction) -> str:
        return ", ".join(row.revealed_by) or "superusers"


@admin.register(Finding)
class FindingAdmin(ModelAdmin[Finding]):
    """Of the viewer's teams. What was found is not kept; the request's page shows it to those who may read."""

    list_display = ("found_at", "tone", "kind", "rule", "team", "access_key", "where", "times", "state")
    list_display_links = ("found_at",)
    list_filter = ("state", "severity", "rule", "kind")
    search_fields = ("team", "access_key", "fingerprint")
    readonly_fields = (
        "found_at", "kind", "severity", "rule", "team", "access_key", "where", "offset", "length", "fingerprint",
        "times",
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("state", "note"),)}),
        ("What was found", {"fields": (("kind", "severity", "rule"), ("found_at", "times", "fingerprint"))}),
        ("Where", {"fields": ("where", ("offset", "length"), ("team", "access_key"))}),
    )
    actions = ("settle", "call_harmless")
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Finding]:
        rows = super().get_queryset(request)
        teams = visible_to(request.user).figures
        return rows if teams is None else rows.filter(team__in=sorted(teams))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="Severity", ordering="severity")
    def tone(self, row: Finding) -> Any:
        return format_html('<span class="tl-badge tl-{}">{}</span>', TONES.get(row.severity, "quiet"), row.severity)

    @admin.display(description="Where")
    def where(self, row: Finding) -> Any:
        part, address = Blob.Kind(row.part).label, reverse("d:request", args=[row.request_id])
        return format_html('<a class="tl-link" href="{}">{} of {}</a>', address, part, row.request_id)

    @admin.action(description="Settled: the secret was changed", permissions=["change"])
    def settle(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        queryset.update(state=Finding.State.DONE)

    @admin.action(description="Harmless: a false alarm", permissions=["change"])
    def call_harmless(self, request: HttpRequest, queryset: QuerySet[Finding]) -> None:
        queryset.update(state=Finding.State.HARMLESS)
