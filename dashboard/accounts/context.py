"""What templates of the account's pages ask for."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def single_sign_on(request: HttpRequest) -> dict[str, bool]:
    return {"TURNLOG_OIDC": bool(settings.TURNLOG.oidc_url)}
