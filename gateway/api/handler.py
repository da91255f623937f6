"""The lean edge: Django's ASGI handler for the gateway paths, without what costs and is not needed there.

It resolves and calls views as Django does (same URLconf machinery, Ninja operations as views). It reads no body before
an operation asks for it, runs no middleware, sends no request signals and makes no header dictionary. Nothing on this
path may touch the ORM: Django's connection housekeeping hangs on the signals that are not sent.

A client that leaves cancels the task of its request (see `GatewayRequest.watch`), whatever that waits for. However the
request ends, `request.close()` runs once; a broken answer returns without its last message, and the server then breaks
the connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import Any, cast

import structlog
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import Resolver404, URLResolver, get_resolver

from gateway.api.application import View, plain_operations
from gateway.api.cycle import BODY_FOLLOWS
from gateway.api.paths import not_found
from gateway.api.refusals import Refusal, method_not_allowed, render
from gateway.api.replies import REQUEST_ID, Reply, bytes_reply
from gateway.api.request import ClientGone, GatewayRequest, Receive, Scope, Send
from gateway.api.runtime import Runtime
from gateway.dialects.failures import ErrorKind
from gateway.policy.surfaces import dialect_of

URLCONF = "gateway.api.urls"
CACHED_PATHS = 256
HELD_SECONDS = 0.1
"""A client that takes a chunk within this is not slow."""

log = structlog.get_logger(__name__)


class GatewayHandler(ASGIHandler):
    """An ASGI application for the paths of `gateway/api/urls.py`."""

    def __init__(self, runtime: Runtime) -> None:
        # ASGIHandler.__init__ loads the middleware of the pages.
        self.runtime = runtime
        self._resolver: URLResolver = get_resolver(URLCONF)
        self._views: dict[str, View] = {}
        self._plain = plain_operations()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = GatewayRequest(scope, receive, self.runtime)
        try:
            await self._deliver(request, await self._respond(request), send)
        except ClientGone:
            pass
        except asyncio.CancelledError:
            if not (request.client_gone or request.client_stalled):
                raise
        finally:
            request.close()

    async def _respond(self, request: GatewayRequest) -> Reply:
        """Call the operation; whatever goes wrong before an answer began is answered in the caller's dialect."""
        request.dialect = dialect_of(request.path, request.pairs)
        try:
            response = await self._call_view(request)
        except Refusal as refusal:
            return render(request, refusal)
        except ClientGone:
            raise
        except Exception:
            log.exception("the gateway failed", path=request.path, request_id=request.id_text)
            return render(request, Refusal(ErrorKind.API_ERROR, "The gateway failed; its log says why."))
        if isinstance(response, Reply):
            return response
        return foreign_reply(request, response)

    def _call_view(self, request: GatewayRequest) -> Awaitable[HttpResponseBase]:
        view = self._plain.get((request.method, request.path)) or self._views.get(request.path)
        if view is not None:
            return view(request)
        try:
            match = self._resolver.resolve(request.path)
        except Resolver404:
            raise not_found(request) from None
        view = cast("View", match.func)
        if not match.kwargs and len(self._views) < CACHED_PATHS:
            self._views[request.path] = view
        return view(request, *match.args, **match.kwargs)

    async def _deliver(self, request: GatewayRequest, reply: Reply, send: Send) -> None:
        """Send the reply; a stream that broke is left without its last message."""
        pairs = [*reply.pairs, (REQUEST_ID, request.id_text.encode())]
        stream = reply.stream
        follows = stream is None or stream.has_chunk
        await send(
            {"type": "http.response.start", "status": reply.status_code, "headers": pairs, BODY_FOLLOWS: follows}
        )
        if stream is None:
            request.stop_watching()
            await send({"type": "http.response.body", "body": reply.body})
            return
        stream.pass_to(request.way_out)
        async for chunk in stream:
            stream.sending_since = since = monotonic()
            if stream.is_spent and request.may_end_with_bytes:
                await send({"type": "http.response.body", "body": chunk})
                stream.conclude_whole()
                return
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            stream.sending_since = 0.0
            if (seconds := monotonic() - since) > HELD_SECONDS:
                stream.exchange.held(since, seconds)
        if stream.broken:
            return
        request.stop_watching()
        stream.sending_since = monotonic()
        await send({"type": "http.response.body", "body": b""})


def foreign_reply(request: GatewayRequest, response: Any) -> Reply:
    """What Django or Ninja answered by themselves, as a reply of ours."""
    if isinstance(response, HttpResponseNotAllowed):
        return render(request, method_not_allowed(request, response["Allow"]))
    return bytes_reply(response.status_code, response.content, response["Content-Type"].encode("latin-1"))
