"""Whoever looks at a page sees stored text through the redactions that are about it (`gateway/history/veil.py`).

`?reveal=1` shows what a role may see all the same, for that one page, and is written down with the names of the
redactions. A body that is streamed is written while the veil is still drawn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from dashboard.auditing import note
from dashboard.models import AuditEvent
from gateway.history.veil import Veil, current

REVEAL = "reveal"

Sync = Callable[[HttpRequest], HttpResponseBase]
Async = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


def veil_of(request: HttpRequest) -> Veil:
    return Veil(request.user, reveals=request.GET.get(REVEAL) == "1")


def note_revealed(request: HttpRequest, veil: Veil) -> None:
    """Before the answer leaves."""
    if veil.reveals and veil.revealed:
        names = ", ".join(sorted(veil.revealed))
        note(AuditEvent.Action.REVEALED, request=request, target=request.path, details=f"hidden by {names}")


def reveal_address(request: HttpRequest) -> str:
    """This page, with what may be seen shown."""
    query = request.GET.copy()
    query[REVEAL] = "1"
    return f"?{query.urlencode()}"


@sync_and_async_middleware
def veiling(get_response: Sync | Async) -> Sync | Async:
    """Middleware for both kinds of server."""
    if iscoroutinefunction(get_response):

        async def respond_async(request: HttpRequest) -> HttpResponseBase:
            veil = veil_of(request)
            current.set(veil)
            response: HttpResponseBase = await get_response(request)
            if veil.reveals:
                await sync_to_async(note_revealed)(request, veil)
            return response

        return respond_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        veil = veil_of(request)
        token = current.set(veil)
        response: HttpResponseBase = get_response(request)  # type: ignore[assignment]
        note_revealed(request, veil)
        if not response.streaming:
            current.reset(token)
        return response

    return respond
