"""How people sign in: by password and second factor, or by an OpenID Connect provider (`TURNLOG_OIDC_...`)."""

from __future__ import annotations

from typing import Any

from proxy_project.environment import Environment


def sign_in_settings(environment: Environment) -> dict[str, Any]:
    """Settings of django-allauth. Nobody signs up, no mail is sent, and the provider, being the operator's own, is
    believed in whose mail addresses it says are verified."""
    return {
        "AUTHENTICATION_BACKENDS": [
            "django.contrib.auth.backends.ModelBackend",
            "allauth.account.auth_backends.AuthenticationBackend",
        ],
        "ACCOUNT_ADAPTER": "dashboard.accounts.adapters.AccountAdapter",
        "ACCOUNT_LOGIN_METHODS": {"username"},
        "ACCOUNT_SIGNUP_FIELDS": ["username*", "password1*"],
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_EMAIL_NOTIFICATIONS": False,
        "ACCOUNT_SESSION_REMEMBER": True,
        "ACCOUNT_LOGOUT_REDIRECT_URL": "/",
        # Five failures for a name, ten a minute from an address; then 429 for five minutes.
        "ACCOUNT_RATE_LIMITS": {"login_failed": "10/m/ip,5/300s/key"},
        "MFA_ADAPTER": "dashboard.accounts.adapters.MFAAdapter",
        "MFA_SUPPORTED_TYPES": ["totp", "recovery_codes"],
        "MFA_TOTP_ISSUER": "Turnlog",
        "SOCIALACCOUNT_ADAPTER": "dashboard.accounts.adapters.SocialAccountAdapter",
        "SOCIALACCOUNT_EMAIL_AUTHENTICATION": True,
        "SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT": True,
        # Our pages' policy would stop a form that leads to another site; the state in the address guards the link.
        "SOCIALACCOUNT_LOGIN_ON_GET": True,
        "SOCIALACCOUNT_STORE_TOKENS": False,
        "SOCIALACCOUNT_PROVIDERS": {"openid_connect": {"APPS": apps(environment)}},
    }


def apps(environment: Environment) -> list[dict[str, Any]]:
    if not environment.oidc_url:
        return []
    return [
        {
            "provider_id": "sso",
            "name": environment.oidc_name,
            "client_id": environment.oidc_client_id,
            "secret": environment.oidc_client_secret,
            "settings": {"server_url": environment.oidc_url, "token_auth_method": "client_secret_basic"},
        }
    ]
