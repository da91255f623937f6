"""Providers and their credentials. A secret can be set and replaced; it is never shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from gateway.admin.theme import ModelForm, PasswordWidget, TabularInline, TextWidget
from gateway.admin.versioned import VersionedAdmin
from gateway.configuration.building import build_snapshot
from gateway.configuration.credentials import set_secret
from gateway.configuration.document import ENVIRONMENT_PROVIDERS
from gateway.models import Credential, Provider
from gateway.policy.addresses import normal_address
from gateway.upstream.probe import probe_now


class ProviderForm(ModelForm[Provider]):
    address = forms.CharField(
        required=False,
        widget=TextWidget(),
        help_text="Such as https://api.anthropic.com, with or without /v1. "
        "Empty, for anthropic and openai only: the address of the environment.",
    )

    class Meta:
        model = Provider
        exclude = ()

    def clean_address(self) -> str:
        text = str(self.cleaned_data.get("address") or "").strip()
        if not text:
            return ""
        try:
            return normal_address(text)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        name = cleaned.get("name")
        if name in ENVIRONMENT_PROVIDERS and cleaned.get("dialect") != name:
            self.add_error("dialect", f"The provider {name} speaks {name}: the name stands for that default.")
        if name not in ENVIRONMENT_PROVIDERS and "address" in cleaned and not cleaned["address"]:
            self.add_error("address", "A provider needs an address.")
        return cleaned


class CredentialForm(ModelForm[Credential]):
    secret = forms.CharField(
        required=False,
        strip=True,
        widget=PasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Kept encrypted and never shown. Empty keeps the present one.",
    )

    class Meta:
        model = Credential
        fields = ("name", "per_minute", "enabled")

    def clean_secret(self) -> str:
        secret = str(self.cleaned_data.get("secret") or "")
        if not secret and self.instance.pk is None:
            raise forms.ValidationError("A new credential needs its secret.")
        return secret

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        secret = self.cleaned_data.get("secret")
        if not secret:
            return
        try:
            set_secret(self.instance, secret)
        except ValueError as error:
            self.add_error("secret", str(error))

    def has_changed(self) -> bool:
        return super().has_changed() or bool(self.data.get(self.add_prefix("secret")))


class CredentialInline(TabularInline[Credential, Provider]):
    model = Credential
    form = CredentialForm
    extra = 0
    fields = ("name", "secret", "ending", "fingerprint", "per_minute", "enabled")
    readonly_fields = ("ending", "fingerprint")

    @admin.display(description="Ends in")
    def ending(self, credential: Credential) -> str:
        return ending_of(credential)


def ending_of(credential: Credential) -> str:
    return f"…{credential.last_four}" if credential.last_four else "-"


def section(title: str, text: str, *fields: Any, folded: bool = True) -> Any:
    return title, {"description": text, "fields": fields, "classes": ["collapse"] if folded else []}


@admin.register(Provider)
class ProviderAdmin(VersionedAdmin):
    form = ProviderForm
    inlines = (CredentialInline,)
    list_display = ("name", "dialect", "address_in_force", "region", "breaker_mode", "multiplied")
    list_filter = ("dialect", "region")
    search_fields = ("name", "address")
    filter_horizontal = ("proxies",)
    actions = ("test_connection",)
    fieldsets = (
        section("", "", "name", "dialect", "address", "profile", "keyless", "region", folded=False),
        section(
            "Requests",
            "Headers this provider wants, and when an answer counts as slow.",
            "extra_headers",
            "slow_seconds",
        ),
        section(
            "Connection",
            "Empty: as the environment says. There is no total timeout: an answer may take as long as it speaks.",
            ("connect_timeout", "header_timeout", "idle_timeout"),
            ("pool_size", "pool_idle_seconds", "pool_life_seconds"),
            ("tls_minimum", "ca_file"),
            ("client_certificate_file", "client_key_file"),
            "http2",
            "proxies",
            "proxy_choice",
        ),
        section(
            "Health check",
            "Asked whether or not there is traffic; while it is down, routes with another target pass it over.",
            "health_path",
            ("health_interval", "health_timeout", "health_failures"),
        ),
        section(
            "Circuit breaker",
            "Only 5xx, timeouts and broken connections count; a client that leaves never does.",
            "breaker_mode",
            ("breaker_failures", "breaker_open_seconds", "breaker_successes"),
            ("breaker_error_percent", "breaker_window", "breaker_volume"),
        ),
        section(
            "Retries",
            "Before the first byte only. The clients retry by themselves, up to 10 times (Claude Code) or 30, and both "
            "multiply: 3 tries here make 33 requests of one of Claude Code's.",
            ("retry_attempts", "retry_deadline", "retry_budget_percent"),
            "retry_on",
            ("retry_backoff", "retry_base", "retry_longest"),
        ),
        section(
            "Queue",
            "How many requests it gets at once, and what those do that find no place. Keys take turns.",
            ("max_in_flight", "queue_size", "queue_longest_wait"),
            "queue_when_full",
            "queue_long_bytes",
        ),
    )

    @admin.display(description="Address")
    def address_in_force(self, provider: Provider) -> str:
        return provider.address or "(the environment's)"

    @admin.display(description="Requests at worst")
    def multiplied(self, provider: Provider) -> str:
        """What one of Claude Code's can become: it retries 10 times."""
        return f"{provider.retry_attempts} times 11" if provider.retry_attempts > 1 else "11 (the client's)"

    @admin.action(description="Test the connection", permissions=["change"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet[Provider]) -> None:
        """Ask each for its models, with its own credential, as the gateway would."""
        providers = build_snapshot({}).providers
        for row in queryset:
            result = probe_now(providers[row.name])
            level = messages.SUCCESS if result.good else messages.ERROR
            self.message_user(request, f"{row.name}: {result.text}", level)


@admin.register(Credential)
class CredentialAdmin(VersionedAdmin):
    """Made with their provider; here they are blocked, unblocked and tested."""

    list_display = ("name", "provider", "ending", "enabled", "blocked", "blocked_until", "blocked_reason")
    list_filter = ("provider", "enabled", "blocked")
    list_select_related = ("provider",)
    search_fields = ("name", "provider__name")
    fields = (
        "provider",
        "name",
        "ending",
        "fingerprint",
        "per_minute",
        "enabled",
        "blocked",
        "blocked_until",
        "blocked_reason",
    )
    readonly_fields = ("provider", "name", "ending", "fingerprint")
    actions = ("block", "unblock", "test_credentials")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    @admin.display(description="Ends in")
    def ending(self, credential: Credential) -> str:
        return ending_of(credential)

    @admin.action(description="Block", permissions=["change"])
    def block(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        reason = f"by {request.user.get_username()}"
        queryset.update(blocked=True, blocked_until=None, blocked_reason=reason)

    @admin.action(description="Unblock", permissions=["change"])
    def unblock(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        queryset.update(blocked=False, blocked_until=None, blocked_reason="")

    @admin.action(description="Test", permissions=["change"])
    def test_credentials(self, request: HttpRequest, queryset: QuerySet[Credential]) -> None:
        providers = build_snapshot({}).providers
        for row in queryset.select_related("provider"):
            provider = providers[row.provider.name]
            entry = next((found for found in provider.credentials if found.name == row.name), None)
            if entry is None:
                self.message_user(request, f"{row}: it is switched off or cannot be decrypted", messages.ERROR)
                continue
            result = probe_now(provider, entry.secret)
            self.message_user(request, f"{row}: {result.text}", messages.SUCCESS if result.good else messages.ERROR)
