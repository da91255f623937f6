"""Terms, legal holds, and the certificates of what was erased."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from gateway.admin.site import ModelAdmin
from gateway.models import ErasureCertificate, LegalHold, RetentionTerm


@admin.register(RetentionTerm)
class RetentionTermAdmin(ModelAdmin[RetentionTerm]):
    list_display = ("__str__", "team", "days")
    autocomplete_fields = ("team",)


@admin.register(LegalHold)
class LegalHoldAdmin(ModelAdmin[LegalHold]):
    list_display = ("name", "session_id", "access_key", "team", "created_at")


@admin.register(ErasureCertificate)
class ErasureCertificateAdmin(ModelAdmin[ErasureCertificate]):
    list_display = ("__str__", "asked_by", "reason", "exchanges", "held")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ErasureCertificate | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ErasureCertificate | None = None) -> bool:
        return False
