"""Teams and the keys that open the gateway. A key is made here, shown once, and only its digest is kept."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from gateway.admin.site import ModelAdmin
from gateway.admin.theme import ModelForm
from gateway.configuration.applying import digest_and_hint
from gateway.models import ApiKey, Member, Team
from gateway.policy.keys import generate_key


@admin.register(Team)
class TeamAdmin(ModelAdmin[Team]):
    list_display = ("name",)
    search_fields = ("name",)


@admin.register(Member)
class MemberAdmin(ModelAdmin[Member]):
    list_display = ("user", "team", "role")
    list_filter = ("role", "team")
    list_select_related = ("user", "team")
    search_fields = ("user__username", "team__name")
    autocomplete_fields = ("user", "team")


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin[ApiKey]):
    list_display = ("name", "team", "hint", "enabled", "expires_at", "created_at")
    list_filter = ("team", "enabled")
    list_select_related = ("team",)
    search_fields = ("name",)
    fields = ("name", "team", "owner", "hint", "enabled", "expires_at", "created_at")
    readonly_fields = ("hint", "created_at")
    autocomplete_fields = ("team", "owner")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool) -> None:
        key = None if change else generate_key()
        if key is not None:
            fields: dict[str, Any] = digest_and_hint(key)
            obj.digest, obj.hint = fields["digest"], fields["hint"]
        super().save_model(request, obj, form, change)
        if key is not None:
            text = f"The key of {obj.name}, shown this once: {key}"
            self.message_user(request, text, messages.WARNING)
