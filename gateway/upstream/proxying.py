"""Ways to providers through outbound proxies: HTTP (CONNECT), in clear or over TLS, and SOCKS5, with their failover.

A proxy that failed is passed over for half a minute while another works. What the provider's name means is then decided
by the proxy: the check of addresses is made on the proxy's own.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError, ProxyType
from python_socks.async_.asyncio import Proxy

from gateway.policy.reach import Reach
from gateway.policy.transport import ProxyChoice, ProxyEntry
from gateway.upstream.dialling import default_tls, open_socket, resolve, within_reach
from gateway.upstream.tunnel import Tunnel, tunnel

REST_SECONDS = 30.0
DEFAULT_PORTS = {"http": 8080, "https": 443, "socks5": 1080}
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
        self._tls: dict[str, ssl.SSLContext] = {}
        """By the file with their authorities."""

    async def open(self, host: str, port: int, reach: Reach) -> socket.socket | Tunnel:
        """Connected with the host through a proxy or, for one that all of them leave out, directly. A tunnel where the
        proxy itself is reached by TLS. Raises OSError."""
        carrying = [entry for entry in self._entries if entry.carries(host)]
        if not carrying:
            return await open_socket(host, port, reach)
        problem: Exception | None = None
        for entry in self._in_order(carrying):
            try:
                opened = await self._through(entry, host, port, reach)
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

    async def _through(self, entry: ProxyEntry, host: str, port: int, reach: Reach) -> socket.socket | Tunnel:
        parts = urlsplit(entry.address)
        name, at = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
        if parts.scheme != "https":
            return await through(entry, TYPES[parts.scheme], name, at, host, port, reach)
        user = (entry.username, entry.password) if entry.username else None
        return await tunnel(await open_socket(name, at, reach), self._tls_of(entry), name, user, host, port)

    def _tls_of(self, entry: ProxyEntry) -> ssl.SSLContext:
        if entry.ca_file not in self._tls:
            self._tls[entry.ca_file] = default_tls(entry.ca_file)
        return self._tls[entry.ca_file]


async def through(
    entry: ProxyEntry, kind: ProxyType, name: str, at: int, host: str, port: int, reach: Reach
) -> socket.socket:
    within_reach(name, await resolve(name, at), reach)
    username, password = entry.username or None, entry.password or None
    proxy = Proxy(kind, name, at, username, password, rdns=True)
    opened = await proxy.connect(host, port)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return opened
