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
from collections.abc import Callable, Sequence

BACKLOG = 2048
LONGEST_SWEEP = 4 * BACKLOG


class Door:
    """`make_protocol` makes the protocol of one connection."""

    def __init__(self, sockets: Sequence[socket.socket], make_protocol: Callable[[], asyncio.Protocol]) -> None:
        self._sockets = list(sockets)
        self._make_protocol = make_protocol
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
            server = await loop.create_server(self._make_protocol, sock=held.dup(), backlog=BACKLOG)
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
                    await loop.connect_accepted_socket(self._make_protocol, waiting)
            held.close()
        self._sockets = []
