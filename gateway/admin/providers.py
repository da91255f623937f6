"""Providers and their credentials. A secret can be set and replaced; it is never shown again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin

from gateway.admin.site import ModelAdmin
from gateway.admin.theme import ModelForm, PasswordWidget, TabularInline, TextWidget
from gateway.configuration.credentials import set_secret
from gateway.configuration.document import ENVIRONMENT_PROVIDERS
from gateway.models import Credential, Provider
from gateway.policy.addresses import normal_address


class ProviderForm(ModelForm[Provider]):
    address = forms.CharField(
        required=False,
        widget=TextWidget(),
        help_text="Such as https://api.anthropic.com, with or without /v1. "
        "Empty, for anthropic and openai only: the address of the environment.",
    )

    class Meta:
        model = Provider
        fields = ("name", "dialect", "address", "profile")

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
        fields = ("name", "enabled")

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
    fields = ("name", "secret", "ending", "fingerprint", "enabled")
    readonly_fields = ("ending", "fingerprint")

    @admin.display(description="Ends in")
    def ending(self, credential: Credential) -> str:
        return f"…{credential.last_four}" if credential.last_four else "-"


@admin.register(Provider)
class ProviderAdmin(ModelAdmin[Provider]):
    form = ProviderForm
    inlines = (CredentialInline,)
    list_display = ("name", "dialect", "address_in_force")
    search_fields = ("name", "address")

    @admin.display(description="Address")
    def address_in_force(self, provider: Provider) -> str:
        return provider.address or "(the environment's)"
