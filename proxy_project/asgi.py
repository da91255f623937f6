"""The ASGI application: split by path before Django, so that a relayed request meets nothing that pages need.

Websockets on gateway paths are denied with 426, which sends Codex back to HTTP at once; others go to Channels. Gateway
paths go to the lean handler, everything else to stock Django where the `dashboard` role is on. `lifespan` starts and
stops what the gateway needs; under a server without it (`manage.py runserver`) the first request does.
"""

import json
import os
import warnings
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")

from django.core.asgi import get_asgi_application

# whitenoise gives Django a file to iterate; static files are small, so reading one ahead is no harm.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

pages = get_asgi_application()

import uuid_utils  # noqa: E402
from django.apps import apps  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.signals import setting_changed  # noqa: E402

from proxy_project.absences import in_place_of  # noqa: E402

# Ninja takes the signal from where Django's test client, unittest and jinja2 come with it.
with in_place_of("django.test.signals", setting_changed=setting_changed):
    import ninja  # noqa: F401

from gateway.api.handler import GatewayHandler  # noqa: E402
from gateway.api.paths import PROBES, is_gateway_path  # noqa: E402
from gateway.api.replies import REQUEST_ID  # noqa: E402
from gateway.api.runtime import Runtime, process_runtime  # noqa: E402
from proxy_project.runserver_sockets import refuse_sockets  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

UPGRADE_REFUSAL = "Websockets are not offered here. Send the request as HTTP POST; Codex does so by itself."


class Split:
    """`sockets` gets the websockets that are not on gateway paths."""

    def __init__(self, runtime: Runtime, roles: tuple[str, ...], pages: Application, sockets: Application) -> None:
        self.runtime = runtime
        self.gateway = GatewayHandler(runtime)
        self.pages = pages
        self.sockets = sockets
        self.serves_gateway = "gateway" in roles
        self.serves_pages = "dashboard" in roles
        self.started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            if not self.started:
                await self._start()
            await self._serve(scope, receive, send)
        elif kind == "websocket":
            await self._serve_socket(scope, receive, send)
        elif kind == "lifespan":
            await self._live(receive, send)

    async def _start(self) -> None:
        await self.runtime.start()
        self.started = True

    def _serve(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        path = scope["path"]
        if is_gateway_path(scope["method"], path) and (self.serves_gateway or path in PROBES):
            return self.gateway(scope, receive, send)
        if self.serves_pages and (path == "/" or not is_gateway_path(scope["method"], path)):
            return self.pages(scope, receive, send)
        return refuse(send, 404, f"There is nothing at {path} on this process.", "not_found_error")

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_gateway_path("GET", scope["path"]):
            await deny_socket(scope, receive, send)
        elif self.serves_pages:
            await self.sockets(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.runtime.stop()
        await send({"type": "lifespan.shutdown.complete"})


async def sockets(scope: Scope, receive: Receive, send: Send) -> None:
    """Channels is loaded with the first page that opens a socket."""
    from dashboard.live.routes import serve

    await serve(scope, receive, send)


async def deny_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a websocket handshake with 426 and why; with 403 on a server that cannot."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    body = error_body(UPGRADE_REFUSAL, "invalid_request_error")
    headers = headers_of(body)
    await send({"type": "websocket.http.response.start", "status": 426, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def refuse(send: Send, status: int, message: str, kind: str) -> None:
    body = error_body(message, kind)
    await send({"type": "http.response.start", "status": status, "headers": headers_of(body)})
    await send({"type": "http.response.body", "body": body})


def headers_of(body: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (REQUEST_ID, str(uuid_utils.uuid7()).encode()),
    ]


def error_body(message: str, kind: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


if apps.is_installed("daphne"):
    refusal = error_body(UPGRADE_REFUSAL, "invalid_request_error")
    refuse_sockets((426, headers_of(refusal), refusal))

application = Split(process_runtime(), settings.TURNLOG.roles, pages, sockets)
