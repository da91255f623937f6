"""Websockets of the dashboard. Loaded with the first one that is asked for."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from django.urls import path

from dashboard.live.socket import LiveSocket

sockets = URLRouter([path("d/ws/live", LiveSocket.as_asgi())])
KNOWN = ("/d/ws/live",)


async def serve(scope: Any, receive: Any, send: Any) -> None:
    """An address that is none is closed as one that is forbidden: Channels would raise."""
    if scope["path"] in KNOWN:
        await sockets(scope, receive, send)
    else:
        await receive()
        await send({"type": "websocket.close"})
