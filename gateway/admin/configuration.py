"""Settings of the whole gateway, outbound proxies, and the versions of all that ops configure."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.decorators import action

from gateway.admin.site import ModelAdmin
from gateway.admin.theme import ModelForm, PasswordWidget
from gateway.admin.versioned import VersionedAdmin
from gateway.configuration.document_reader import WrongDocument
from gateway.configuration.revisions import roll_back
from gateway.configuration.sealing import seal
from gateway.models import ConfigurationRevision, GatewaySettings, OutboundProxy


@admin.register(GatewaySettings)
class GatewaySettingsAdmin(VersionedAdmin):
    list_display = ("__str__", "validate_requests", "remote_url")
    fieldsets = (
        ("Who may call", {"fields": (("allow_addresses", "deny_addresses"),)}),
        ("Regions", {"fields": ("region_fallbacks",)}),
        (
            "Validation",
            {
                "description": "Off: the provider is the judge of what it takes, and clients know its refusals.",
                "fields": (
                    "validate_requests",
                    ("max_messages", "max_content_bytes", "max_system_bytes"),
                    ("max_output_tokens", "max_top_logprobs"),
                ),
            },
        ),
        (
            "Prices budgets go by",
            {
                "description": "What budgets count for a model that has no price in the table: US dollars for a "
                "million tokens. Empty: nothing.",
                "fields": (("default_input_price", "default_output_price"),),
            },
        ),
        ("Kept answers", {"fields": ("cache_max_bytes",)}),
        ("Alerts", {"fields": ("public_url",)}),
        (
            "Remote configuration",
            {
                "description": "Fetched and applied when it changes; what cannot be used changes nothing.",
                "fields": (("remote_url", "remote_interval"),),
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not GatewaySettings.objects.exists()


class ProxyForm(ModelForm[OutboundProxy]):
    password = forms.CharField(
        required=False,
        widget=PasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Kept encrypted and never shown. Empty keeps the present one.",
    )

    class Meta:
        model = OutboundProxy
        exclude = ()

    def save(self, commit: bool = True) -> Any:
        if self.cleaned_data.get("password"):
            self.instance.ciphertext = seal(self.cleaned_data["password"])
        return super().save(commit)


@admin.register(OutboundProxy)
class OutboundProxyAdmin(VersionedAdmin):
    form = ProxyForm
    list_display = ("name", "address", "username", "position", "enabled")
    search_fields = ("name", "address")
    fields = ("name", "address", "username", "password", "bypass", "ca_file", "position", "enabled")


GO_BACK = "go_back"
"""What the button is called in the form; the theme's own name for it would be another."""


@admin.register(ConfigurationRevision)
class RevisionAdmin(ModelAdmin[ConfigurationRevision]):
    """What was changed, by whom, and the way back."""

    list_display = ("id", "made_at", "author_name", "changed", "note")
    list_filter = ("author_name",)
    search_fields = ("difference", "note", "author_name")
    fields = ("made_at", "author_name", "note", "shown_difference")
    readonly_fields = fields
    actions_submit_line = ("go_back",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if GO_BACK in request.POST and self.has_change_permission(request, obj):
            self.go_back(request, obj)

    @admin.display(description="Lines")
    def changed(self, row: ConfigurationRevision) -> str:
        lines = row.difference.splitlines()
        return f"+{sum(line.startswith('+') for line in lines)} -{sum(line.startswith('-') for line in lines)}"

    @admin.display(description="Difference")
    def shown_difference(self, row: ConfigurationRevision) -> str:
        return format_html('<pre class="difference">{}</pre>', row.difference or "(the first version)")

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """A version is looked at and gone back to: there is nothing to save."""
        shown = {"show_save": False, "show_save_and_continue": False} | (extra_context or {})
        return super().changeform_view(request, object_id, form_url, shown)

    @action(description="Go back to this version", attrs={"name": GO_BACK})  # type: ignore[untyped-decorator]
    def go_back(self, request: HttpRequest, obj: ConfigurationRevision) -> None:
        try:
            members = request.user.has_perm("gateway.change_member")
            outcome = roll_back(obj.pk, request.user, members=members)
        except WrongDocument as error:
            self.message_user(request, f"Nothing was changed: {error}", messages.ERROR)
            return
        self.message_user(request, f"{len(outcome.changes)} changes: the configuration is that of version {obj.pk}.")
