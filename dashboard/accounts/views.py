"""The page of signing in, with a status that says when somebody tried too often."""

from __future__ import annotations

from typing import Any

from allauth.account.views import LoginView
from django.http import HttpResponse

TOO_OFTEN = "too_many_login_attempts"


class SignIn(LoginView):
    """The library's; it refuses further tries within the page's text, and we with 429, too."""

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        if any(error.code == TOO_OFTEN for errors in form.errors.as_data().values() for error in errors):
            response.status_code = 429
            response.headers["Retry-After"] = "300"
        return response


sign_in = SignIn.as_view()
