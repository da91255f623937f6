"""How signing in differs from the library's usual: nobody signs up by a form, secrets of second factors are sealed."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.http import HttpRequest

from gateway.configuration.sealing import seal, unseal


class AccountAdapter(DefaultAccountAdapter):
    """Accounts are made by administrators, or come from the identity provider."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """Of whoever speaks to us; with a proxy before us, of whoever spoke to that one, and nobody further away: what
        stands before it in the header was written by the caller."""
        if settings.TURNLOG.behind_tls and (named := request.headers.get("X-Forwarded-For")):
            return str(named.rsplit(",", 1)[-1].strip())
        return request.META.get("REMOTE_ADDR") or "unknown"


class SocialAccountAdapter(DefaultSocialAccountAdapter):
    """Who the identity provider knows gets an account; it sees nothing until it is made a member."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        return bool(settings.TURNLOG.oidc_url)


class MFAAdapter(DefaultMFAAdapter):
    """As the library's, with what makes the codes encrypted at rest."""

    def encrypt(self, text: str) -> str:
        return seal(text).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text.encode("ascii"))
