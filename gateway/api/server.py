"""The server of one `web` process: uvicorn with our protocol and our own way to stop.

The first SIGTERM or SIGINT drains: `/readyz` says 503 while requests are still served for TURNLOG_DRAIN_GRACE (a load
balancer sees it and turns away; every answer says `connection: close`), then nothing new is accepted and running
streams have TURNLOG_DRAIN_SECONDS to end; what is left is cut and recorded as interrupted_drain. A second signal cuts
at once. docs/decisions/0005 says how no request is lost on the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from time import monotonic
from typing import Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.api.door import Door
from gateway.api.protocol import GatewayProtocol
from gateway.api.runtime import Runtime
from gateway.api.state import GatewayState
from gateway.api.tls import ListenerTls

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 90
LOOK_SECONDS = 0.05
PROGRESS_SECONDS = 5.0
CUT_SECONDS = 5.0
RENEW_SECONDS = 60.0
"""How often the certificate's files are looked at."""


def server_config(application: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        loop="uvloop",
        http=GatewayProtocol,
        ws=WebSocketsSansIOProtocol,
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


class GatewayServer(uvicorn.Server):
    """Serves until told to stop; `drain_grace` and `drain_seconds` in seconds. `announce`: say on standard output where
    it listens, once it does (with --port 0 nothing else tells)."""

    def __init__(
        self,
        config: uvicorn.Config,
        runtime: Runtime,
        *,
        drain_grace: float,
        drain_seconds: float,
        announce: bool,
        tls: ListenerTls | None = None,
    ) -> None:
        super().__init__(config)
        self.server_state: GatewayState = GatewayState(self._came)
        self._announce = announce
        self._tls = tls
        self.runtime = runtime
        self._door = Door((), self._make_protocol)
        self._reopening: asyncio.Task[None] | None = None
        self._let_go_at = 0.0
        self._drain_grace = drain_grace
        self._drain_seconds = drain_seconds
        self._told = asyncio.Event()
        self._hurried = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop_soon)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def stop_soon(self) -> None:
        """The first call begins to drain, the second ends at once."""
        if self._told.is_set():
            self._hurried.set()
        self._told.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(1)
        self._door = Door(sockets or (), self._make_protocol, self._tls.context if self._tls else None)
        await self._door.open()
        self.runtime.descriptors.begin(self.server_state.connections)
        self.started = True
        if self._tls is not None:
            self._renew(self._tls)
        scheme = "https" if self._tls else "http"
        for address in addresses_of(sockets or ()) if self._announce else ():
            print(f"listening on {scheme}://{address}", flush=True)  # noqa: T201

    def _renew(self, tls: ListenerTls) -> None:
        tls.renew()
        asyncio.get_running_loop().call_later(RENEW_SECONDS, self._renew, tls)

    def _make_protocol(self) -> asyncio.Protocol:
        return GatewayProtocol(self.config, self.server_state, self.lifespan.state)

    def _came(self) -> None:
        """A connection has come in: is there room for the next?"""
        descriptors = self.runtime.descriptors
        descriptors.look()
        if self._door.is_open and not descriptors.has_room():
            self._door.shut()
            log.warning("no file descriptor for another connection (%d are open): the next ones wait", len(self._open))
            self._reopening = asyncio.create_task(self._reopen())
        elif not descriptors.could_grant() and monotonic() - self._let_go_at >= LOOK_SECONDS:
            self._let_go()

    @property
    def _open(self) -> set[Any]:
        return self.server_state.connections

    async def _reopen(self) -> None:
        """Take connections in again as soon as there is room. Those that nobody uses make way."""
        descriptors = self.runtime.descriptors
        while not descriptors.has_room():
            self._let_go()
            await asyncio.sleep(LOOK_SECONDS)
            descriptors.look()
        await self._door.open()

    def _let_go(self) -> None:
        self._let_go_at = monotonic()
        for connection in list(self._open):
            if isinstance(connection, GatewayProtocol):
                connection.let_go()

    async def main_loop(self) -> None:
        await self._told.wait()
        self.runtime.set_draining(True)
        self.server_state.is_draining = True
        for connection in list(self._open):
            if isinstance(connection, GatewayProtocol):
                connection.announce_end()
        log.info("draining: serving on for %g s; signal again to end at once", self._drain_grace)
        await happens(self._hurried, self._drain_grace)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.runtime.set_draining(True)
        self.server_state.is_draining = self.server_state.is_closing = True
        if self._reopening is not None:
            self._reopening.cancel()
        await self._door.close()
        for connection in list(self._open):
            if not isinstance(connection, GatewayProtocol):
                connection.shutdown()
        await self._let_finish()
        await self._cut_rest()
        await self.lifespan.shutdown()
        log.info("stopped")

    async def _let_finish(self) -> None:
        """Wait for the running requests, saying from time to time how many there are."""
        deadline = monotonic() + self._drain_seconds
        said = 0.0
        while self._busy() and not self._hurried.is_set() and monotonic() < deadline:
            self._let_go()
            if self.server_state.tasks and monotonic() - said >= PROGRESS_SECONDS:
                said = monotonic()
                left = deadline - said
                log.info("draining: %d running, cut in %.0f s at the latest", len(self.server_state.tasks), left)
            await happens(self._hurried, LOOK_SECONDS)

    def _busy(self) -> bool:
        """A request runs, or one may be on its way on a connection that is still open."""
        return bool(self.server_state.tasks) or any(isinstance(one, GatewayProtocol) for one in self._open)

    async def _cut_rest(self) -> None:
        tasks = list(self.server_state.tasks)
        if not tasks:
            return
        log.warning("draining: %d requests are cut", len(tasks))
        self.runtime.cutting = True
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=CUT_SECONDS)


async def happens(event: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set within `seconds`."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def listening_sockets(host: str, port: int, *, reuse_port: bool, descriptor: int | None = None) -> list[socket.socket]:
    """Bound sockets for every address of `host`, or the one inherited as `descriptor`; raises OSError."""
    if descriptor is not None:
        return [socket.socket(fileno=descriptor)]
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return [bound_socket(family, address, reuse_port) for family, _, _, _, address in dict.fromkeys(addresses)]


def bound_socket(family: int, address: Any, reuse_port: bool) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def addresses_of(listeners: Sequence[socket.socket]) -> list[str]:
    """`host:port` of each, IPv6 in brackets."""
    names = (listener.getsockname() for listener in listeners)
    return [f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}" for name in names]
