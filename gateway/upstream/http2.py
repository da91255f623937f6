"""The transport to a provider that is to be spoken to by HTTP/2: requests share connections.

What TLS's negotiation (ALPN) says counts. A provider that takes HTTP/1.1 only, and every one without TLS, is spoken to
as `wire.py` does; the answer's `http_version` tells, and the log once.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any

from gateway.upstream.client import httpx
from gateway.upstream.connection import Connection
from gateway.upstream.dialling import default_tls
from gateway.upstream.failures import UpstreamFailure
from gateway.upstream.pool import IDLE_SECONDS
from gateway.upstream.shared_connection import SharedConnection
from gateway.upstream.wire import (
    DEFAULT_PORTS,
    Origin,
    WireTiming,
    WireTransport,
    reaching,
    response_of,
    wait_for_head,
)

log = logging.getLogger(__name__)


class Http2Transport(WireTransport):
    """As its base; `size` bounds its connections of HTTP/1.1 only."""

    def __init__(
        self,
        *,
        idle_seconds: float = IDLE_SECONDS,
        life_seconds: float | None = None,
        make_tls: Callable[[], ssl.SSLContext] = default_tls,
        **options: Any,
    ) -> None:
        super().__init__(idle_seconds=idle_seconds, life_seconds=life_seconds, make_tls=make_tls, **options)
        self._idle_seconds = idle_seconds
        self._life_seconds = life_seconds
        self._both: ssl.SSLContext | None = None
        self._shared: dict[Origin, list[SharedConnection]] = {}
        self._dialling: dict[Origin, asyncio.Lock] = {}
        self._told: set[Origin] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url, extensions = request.url, request.extensions
        origin = (url.scheme, url.host, url.port or DEFAULT_PORTS[url.scheme])
        timeouts = extensions.get("timeout") or {}
        target, body = extensions.get("target") or url.raw_path, extensions.get("body")
        is_again = False
        while True:
            connection, timing = await self._shared_one(origin, timeouts.get("connect"))
            if connection is None:
                return await super().handle_async_request(request)
            if body is None:
                assert isinstance(request.stream, httpx.AsyncByteStream)
                body = b"".join([part async for part in request.stream])
            exchange = connection.start(request.method, target, request.headers.raw, body, timeouts)
            try:
                answer = await wait_for_head(exchange, exchange.waiter)
            except UpstreamFailure as failure:
                if not failure.unseen or is_again:
                    raise
                is_again = True  # The provider said that it did not take it: this is the first time it is asked.
                continue
            return response_of(answer, timing)

    async def aclose(self) -> None:
        await super().aclose()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in self._all():
            connection.leave()

    @property
    def idle_connections(self) -> int:
        return super().idle_connections + sum(connection.is_idle for connection in self._all())

    def release_idle(self) -> None:
        super().release_idle()
        for connection in self._all():
            if connection.is_idle:
                connection.leave()

    def _all(self) -> list[SharedConnection]:
        return [connection for kept in self._shared.values() for connection in kept]

    async def _shared_one(self, origin: Origin, seconds: float | None) -> tuple[SharedConnection | None, WireTiming]:
        """A connection with room for one more request; None: HTTP/1.1 is to be spoken."""
        found = self._with_room(origin)
        if found is None and origin[0] == "https" and not self._pool.holds(origin):
            # One after the other: the first connection may have room for all who wait for one.
            async with self._dialling.setdefault(origin, asyncio.Lock()):
                found = self._with_room(origin)
                if found is None:
                    return await reaching(origin, seconds, lambda: self._negotiated(origin))
        return found, WireTiming(None, True)

    def _with_room(self, origin: Origin) -> SharedConnection | None:
        for connection in list(self._shared.get(origin, ())):
            if self._life_seconds is not None and connection.age() > self._life_seconds:
                connection.leave()
            elif connection.has_room():
                return connection
        return None

    async def _negotiated(self, origin: Origin) -> SharedConnection | None:
        """A new connection: a shared one, or one of HTTP/1.1 that then lies in the pool."""
        if self._both is None:
            self._both = self._make_tls()
            self._both.set_alpn_protocols(["h2", "http/1.1"])
        chooser = Chooser(lambda is_http2: self._protocol(origin, is_http2=is_http2))
        await self._open(origin, lambda: chooser, self._both)
        if isinstance(chooser.chosen, SharedConnection):
            self._shared.setdefault(origin, []).append(chooser.chosen)
            self._watch()
            return chooser.chosen
        self._pool.take_back(chooser.chosen)
        if origin not in self._told:
            self._told.add(origin)
            log.warning("%s speaks no HTTP/2: it is asked by HTTP/1.1", origin[1])
        return None

    def _protocol(self, origin: Origin, *, is_http2: bool) -> Connection | SharedConnection:
        return SharedConnection(lambda lost: self._forget(origin, lost)) if is_http2 else Connection(self._pool, origin)

    def _forget(self, origin: Origin, connection: SharedConnection) -> None:
        kept = self._shared.get(origin, [])
        if connection in kept:
            kept.remove(connection)

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._expire)

    def _expire(self) -> None:
        """Close what was idle for long; look again while there is anything."""
        self._timer = None
        edge = asyncio.get_running_loop().time() - self._idle_seconds
        for connection in self._all():
            if connection.is_idle and connection.idle_since <= edge:
                connection.leave()
        if self._all():
            self._watch()


class Chooser(asyncio.Protocol):
    """Stands at a connection until TLS has said which protocol it is to speak."""

    def __init__(self, choose: Callable[[bool], Connection | SharedConnection]) -> None:
        self._choose = choose

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.chosen = self._choose(transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2")
        transport.set_protocol(self.chosen)
        self.chosen.connection_made(transport)
