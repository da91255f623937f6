"""The audit log in the admin: it is read there, and nothing else."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from dashboard.models import AuditEvent
from gateway.admin.site import ModelAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ModelAdmin[AuditEvent]):
    list_display = ("at", "actor_name", "action", "target", "address")
    list_filter = ("action",)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("actor_name", "target")
    fields = readonly_fields = ("at", "actor_name", "action", "target", "address", "details")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: AuditEvent | None = None) -> bool:
        return False
