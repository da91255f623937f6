"""The one-time link that signs the administrator in, printed by `manage.py run` and good for nothing but that.

Its token is signed over the time of the last sign-in, so that the sign-in it makes ends it; unused, it ends after
PASSWORD_RESET_TIMEOUT.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model, login
from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.encoding import force_bytes, force_str
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

SIGN_IN_PAGE = "admin:index"
BACKEND = "django.contrib.auth.backends.ModelBackend"


class EntryTokenGenerator(PasswordResetTokenGenerator):
    key_salt = "proxy_project.enter"


entry_tokens = EntryTokenGenerator()


def entry_path(user: User) -> str:
    """The path of a fresh link for this user."""
    return reverse("enter", args=[urlsafe_base64_encode(force_bytes(user.pk)), entry_tokens.make_token(user)])


@never_cache
@require_safe
def enter(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """GET signs in and redirects. HEAD only looks: link previews and scanners must not use the link up."""
    if request.method == "HEAD":
        response: HttpResponse = HttpResponse()
    else:
        with transaction.atomic():
            response = answer(request, locked_user(uid), token)
    response["Referrer-Policy"] = "no-referrer"
    return response


def answer(request: HttpRequest, user: Any, token: str) -> HttpResponse:
    if user is None or not user.is_active or not entry_tokens.check_token(user, token):
        text = "This link was used or is too old. Start Turnlog again for a fresh one, or sign in at /admin/.\n"
        return HttpResponse(text, status=403, content_type="text/plain; charset=utf-8")
    login(request, user, backend=BACKEND)
    return HttpResponseRedirect(reverse(SIGN_IN_PAGE))


def locked_user(uid: str) -> Any:
    """The user of the link, locked until the sign-in is recorded, so that two clicks at once are one sign-in."""
    model = get_user_model()
    try:
        key = model._meta.pk.to_python(force_str(urlsafe_base64_decode(uid)))
        return model._default_manager.select_for_update().get(pk=key)
    except (ValueError, OverflowError, ValidationError, model.DoesNotExist):
        return None
