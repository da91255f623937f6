"""A way through a proxy that is itself reached by TLS: CONNECT on its connection, then the provider's TLS within it.

asyncio's streams cannot give their connection away (a writer that is no longer needed closes it), so the protocols here
do: `Tunnel` asks the proxy, `Gate` stands in until the provider's TLS is agreed on. Both keep what comes meanwhile for
the protocol that follows, for a provider that speaks HTTP/2 speaks first.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar, cast

import httptools

from gateway.upstream.dialling import SHUTDOWN_SECONDS

HEAD_LIMIT = 64 * 1024
Following = TypeVar("Following", bound=asyncio.BaseProtocol)


class TunnelRefused(OSError):
    """The proxy did not open the way; the message says what it answered."""


class Gate(asyncio.Protocol):
    """Keeps what comes until the protocol that is meant is there."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self.kept.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def give(self, transport: asyncio.Transport, follower: asyncio.BaseProtocol) -> None:
        if self.is_lost or transport.is_closing():
            raise ConnectionResetError
        transport.set_protocol(follower)
        follower.connection_made(transport)
        for data in self.kept:
            cast(asyncio.Protocol, follower).data_received(data)


class Tunnel(Gate):
    """`through` opens it; `carry` puts a protocol on it, once."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._reason = b""
        self._size = 0

    async def ask(self, host: str, port: int, user: tuple[str, str] | None) -> None:
        """CONNECT. Raises TunnelRefused."""
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        if user is not None:
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(':'.join(user).encode()).decode()}")
        self._transport.write("\r\n".join([*lines, "", ""]).encode())
        await self._opened

    async def carry(self, make: Callable[[], Following], tls: ssl.SSLContext | None, host: str) -> Following:
        """The provider's protocol on it, over TLS with `host` where it speaks it. Raises OSError."""
        transport: asyncio.Transport = self._transport
        gate: Gate = self
        try:
            if tls is not None:
                gate = Gate()
                transport = await self._agree(gate, tls, host)
            follower = make()
            gate.give(transport, follower)
        except BaseException:
            transport.abort()
            raise
        return follower

    async def _agree(self, gate: Gate, tls: ssl.SSLContext, host: str) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        try:
            agreed = await loop.start_tls(
                self._transport, gate, tls, server_hostname=host, ssl_shutdown_timeout=SHUTDOWN_SECONDS
            )
        except TypeError as error:
            # asyncio's own loop (3.11) stumbles when a handshake within TLS fails, over what we want to know.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        if agreed is None:
            raise ConnectionResetError
        return agreed

    def close(self) -> None:
        self._transport.abort()

    # What the transport and the parser call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._opened.done():
            super().data_received(data)
            return
        self._size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._refuse(f"its answer to CONNECT is no HTTP: {error}")
        if self._size > HEAD_LIMIT:
            self._refuse(f"its answer to CONNECT has no end within {HEAD_LIMIT} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._refuse("closed before it answered CONNECT" + (f": {exc}" if exc is not None else ""))

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if not 200 <= status < 300:
            self._refuse(f"answered CONNECT with {status} {self._reason.decode('latin-1')}".rstrip())
        elif not self._opened.done():
            self._opened.set_result(None)

    def _refuse(self, reason: str) -> None:
        if not self._opened.done():
            self._opened.set_exception(TunnelRefused(reason))


async def tunnel(
    opened: socket.socket, tls: ssl.SSLContext, proxy: str, user: tuple[str, str] | None, host: str, port: int
) -> Tunnel:
    """On a socket that is connected with the proxy, whose certificate is for the name `proxy`. Raises OSError."""
    try:
        _, made = await asyncio.get_running_loop().create_connection(
            Tunnel, sock=opened, ssl=tls, server_hostname=proxy, ssl_shutdown_timeout=SHUTDOWN_SECONDS
        )
    except BaseException:
        opened.close()
        raise
    try:
        await made.ask(host, port, user)
    except BaseException:
        made.close()
        raise
    return made
