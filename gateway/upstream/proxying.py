"""Sockets to providers through outbound proxies: HTTP (CONNECT) and SOCKS5, with their failover.

A proxy that failed is passed over for half a minute while another works. What the provider's name means is then decided
by the proxy: the check of addresses is made on the proxy's own.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
from python_socks.async_.asyncio import Proxy

from gateway.policy.reach import Reach
from gateway.policy.transport import ProxyChoice, ProxyEntry
from gateway.upstream.dialling import open_socket, resolve, within_reach

REST_SECONDS = 30.0
DEFAULT_PORTS = {"http": 8080, "socks5": 1080}
TYPES = {"http": ProxyType.HTTP, "socks5": ProxyType.SOCKS5}


class ProxyFailed(OSError):
    """Every proxy failed; the message names the last and why."""


class Proxies:
    """Those of one provider."""

    def __init__(self, entries: Sequence[ProxyEntry], choice: ProxyChoice) -> None:
        self._entries = entries
        self._choice = choice
        self._turn = 0
        self._resting: dict[str, float] = {}

    async def open_socket(self, host: str, port: int, reach: Reach) -> socket.socket:
        """A connected socket, through a proxy or, for a host that all of them leave out, directly. Raises OSError."""
        carrying = [entry for entry in self._entries if entry.carries(host)]
        if not carrying:
            return await open_socket(host, port, reach)
        problem: Exception | None = None
        for entry in self._in_order(carrying):
            try:
                opened = await through(entry, host, port, reach)
            except (ProxyError, ProxyConnectionError, ProxyTimeoutError, OSError) as error:
                self._resting[entry.name] = time.monotonic() + REST_SECONDS
                problem = ProxyFailed(f"the proxy {entry.name}: {str(error) or type(error).__name__}")
                continue
            self._resting.pop(entry.name, None)
            return opened
        assert problem is not None
        raise problem

    def _in_order(self, entries: list[ProxyEntry]) -> list[ProxyEntry]:
        """Those that work first; in turn where that is wished."""
        if self._choice is ProxyChoice.IN_TURN:
            first = self._turn % len(entries)
            self._turn += 1
            entries = entries[first:] + entries[:first]
        now = time.monotonic()
        return sorted(entries, key=lambda entry: self._resting.get(entry.name, 0.0) > now)


async def through(entry: ProxyEntry, host: str, port: int, reach: Reach) -> socket.socket:
    parts = urlsplit(entry.address)
    name, at = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    within_reach(name, await resolve(name, at), reach)
    username, password = entry.username or None, entry.password or None
    proxy = Proxy(TYPES[parts.scheme], name, at, username, password, rdns=True)
    opened = await proxy.connect(host, port)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return opened
