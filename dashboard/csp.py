"""What the pages may load and run: nothing from elsewhere, no inline script anywhere.

The admin's theme evaluates expressions in attributes (hence 'unsafe-eval') and writes its colours into a style element.
Everything else gets the strict policy. Pages of the admin and under /d/ show captured data,
which no cache may keep.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

COMMON = "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    f"{COMMON}"
)
# The code to scan for a second factor is a picture within the page.
ACCOUNTS = STRICT.replace("img-src 'self'", "img-src 'self' data:")
ADMIN = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    f"connect-src 'self'; {COMMON}"
)
POLICIES = {"/admin/": ADMIN, "/accounts/": ACCOUNTS, "/d/": STRICT}
"""By the beginning of the path; no cache keeps these."""


def protect(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    policy = next((POLICIES[prefix] for prefix in POLICIES if request.path.startswith(prefix)), None)
    response.headers.setdefault("Content-Security-Policy", policy or STRICT)
    if policy is not None:
        response.headers["Cache-Control"] = "no-store"
    return response


Sync = Callable[[HttpRequest], HttpResponseBase]
Async = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


@sync_and_async_middleware
def content_security(get_response: Sync | Async) -> Sync | Async:
    """Middleware for both kinds of server."""
    if iscoroutinefunction(get_response):

        async def respond_async(request: HttpRequest) -> HttpResponseBase:
            return protect(request, await get_response(request))

        return respond_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        return protect(request, get_response(request))  # type: ignore[arg-type]

    return respond
