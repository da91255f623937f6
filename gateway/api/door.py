"""Where connections come in: the listening sockets of one `web` process, perhaps shared, perhaps shut for a while.

Closing a listening socket resets every connection that waits in its queue. So the socket itself is held, by the
supervisor and by us, and what the event loop listens on is a duplicate: shutting the door closes the duplicate, and who
waits goes on waiting, for us or for another process on the same socket. Only `close` lets the socket go, and takes in
first whoever waits on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

BACKLOG = 2048
LONGEST_SWEEP = 4 * BACKLOG
HANDSHAKE_SECONDS = 10.0
SHUTDOWN_SECONDS = 1.0
"""How long a caller that is told of the end may take to agree."""


class Door:
    """`make_protocol` makes the protocol of one connection."""

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        make_protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._sockets = list(sockets)
        self._make_protocol = make_protocol
        self._options: dict[str, Any] = {}
        if tls is not None:
            patience = {"ssl_handshake_timeout": HANDSHAKE_SECONDS, "ssl_shutdown_timeout": SHUTDOWN_SECONDS}
            self._options = {"ssl": tls, **patience}
        self._servers: list[asyncio.Server] = []

    @property
    def is_open(self) -> bool:
        return bool(self._servers)

    async def open(self) -> None:
        if self._servers:
            return
        loop = asyncio.get_running_loop()
        for held in self._sockets:
            held.setblocking(False)
            server = await loop.create_server(self._make_protocol, sock=held.dup(), backlog=BACKLOG, **self._options)
            self._servers.append(server)

    def shut(self) -> None:
        """Take nobody in for now; who comes waits."""
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()

    async def close(self) -> None:
        """Take in who waits already, then nobody any more."""
        self.shut()
        loop = asyncio.get_running_loop()
        for held in self._sockets:
            for _ in range(LONGEST_SWEEP):
                try:
                    waiting, _ = held.accept()
                except OSError:
                    break
                with contextlib.suppress(OSError):
                    await loop.connect_accepted_socket(self._make_protocol, waiting, **self._options)
            held.close()
        self._sockets = []
