"""Teams and the keys that open the gateway. A key is made here, shown once, and only its digest is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from gateway.admin.theme import ModelForm, PasswordWidget
from gateway.admin.versioned import VersionedAdmin
from gateway.configuration.applying import digest_and_hint
from gateway.configuration.roles import teams_led_by
from gateway.configuration.sealing import seal
from gateway.models import ApiKey, Member, RequestLog, Team
from gateway.policy.keys import generate_key

NONE = "-"
OVERLAP = timedelta(days=7)


def of_own_teams(request: HttpRequest, rows: QuerySet[Any], team_id: str) -> QuerySet[Any]:
    """The rows a person may see here: a lead's are those of the teams they lead."""
    teams = teams_led_by(request.user)
    return rows if teams is None else rows.filter(**{f"{team_id}__in": teams})


@admin.register(Team)
class TeamAdmin(VersionedAdmin):
    list_display = ("name", "region")
    search_fields = ("name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        return of_own_teams(request, super().get_queryset(request), "id")


@admin.register(Member)
class MemberAdmin(VersionedAdmin):
    list_display = ("user", "team", "role")
    list_filter = ("role", "team")
    list_select_related = ("user", "team")
    search_fields = ("user__username", "team__name")
    autocomplete_fields = ("user", "team")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Member]:
        return of_own_teams(request, super().get_queryset(request), "team_id")


class ApiKeyForm(ModelForm[ApiKey]):
    signing_secret = forms.CharField(
        required=False,
        widget=PasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Set: the key opens for requests signed with it only. Kept encrypted; empty keeps what is there, "
        "a single - takes it away.",
    )

    class Meta:
        model = ApiKey
        exclude = ()

    def save(self, commit: bool = True) -> Any:
        secret = self.cleaned_data.get("signing_secret")
        if secret:
            self.instance.signing_ciphertext = seal(secret) if secret != NONE else b""
        return super().save(commit)


@admin.register(ApiKey)
class ApiKeyAdmin(VersionedAdmin):
    list_display = ("name", "team", "owner", "hint", "enabled", "expires_at", "last_used", "created_at")
    list_filter = ("team", "enabled")
    list_select_related = ("team",)
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "team", "owner", "hint", "enabled", "expires_at", "created_at")}),
        (
            "What it is good for",
            {
                "description": "Empty: everything.",
                "fields": (
                    ("allowed_dialects", "allowed_models", "allowed_providers"),
                    ("allow_addresses", "deny_addresses"),
                    ("priority", "region"),
                ),
            },
        ),
        (
            "Signing, rotation, debugging",
            {
                "classes": ["collapse"],
                "fields": ("signing_secret", "previous_until", "debug_until"),
            },
        ),
    )
    readonly_fields = ("hint", "created_at")
    autocomplete_fields = ("team", "owner")
    form = ApiKeyForm
    actions = ("rotate", "revoke", "restore")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return of_own_teams(request, super().get_queryset(request), "team_id")

    def get_autocomplete_fields(self, request: HttpRequest) -> Any:
        # A lead chooses among the few they may choose, and may not look through all users.
        return super().get_autocomplete_fields(request) if teams_led_by(request.user) is None else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        teams = teams_led_by(request.user)
        if teams is not None and db_field.name == "team":
            options |= {"queryset": Team.objects.filter(pk__in=teams), "required": True}
        elif teams is not None and db_field.name == "owner":
            options["queryset"] = User.objects.filter(memberships__team_id__in=teams).distinct()
        return super().formfield_for_foreignkey(db_field, request, **options)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if teams_led_by(request.user) is None else (*fields, "priority")

    @admin.display(description="Last used")
    def last_used(self, key: ApiKey) -> Any:
        latest = RequestLog.objects.filter(access_key=key.name).order_by("-id").values_list("started_at", flat=True)
        return latest.first()

    @admin.action(description="Rotate: a new key, the old one opens for a week more", permissions=["change"])
    def rotate(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for row in queryset:
            key = generate_key()
            fields = digest_and_hint(key)
            row.previous_digest, row.previous_until = row.digest, timezone.now() + OVERLAP
            row.digest, row.hint = fields["digest"], fields["hint"]
            row.save()
            self.message_user(request, f"The new key of {row.name}, shown this once: {key}", messages.WARNING)

    @admin.action(description="Revoke", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        queryset.update(enabled=False)

    @admin.action(description="Open again", permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        queryset.update(enabled=True)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: ModelForm[ApiKey], change: bool) -> None:
        key = None if change else generate_key()
        if key is not None:
            fields: dict[str, Any] = digest_and_hint(key)
            obj.digest, obj.hint = fields["digest"], fields["hint"]
        super().save_model(request, obj, form, change)
        if key is not None:
            text = f"The key of {obj.name}, shown this once: {key}"
            self.message_user(request, text, messages.WARNING)
