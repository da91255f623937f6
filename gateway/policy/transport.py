"""How the gateway speaks to a provider where that differs from the environment's defaults. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class ProxyChoice(StrEnum):
    """Which of several outbound proxies carries a new connection."""

    IN_ORDER = "in_order"
    """The first that works; the next when it does not."""
    IN_TURN = "in_turn"
    """Each in its turn; those that do not work are passed over."""


@dataclass(frozen=True, slots=True)
class ProxyEntry:
    """An outbound proxy. `address`: http, https or socks5, host and port. `bypass`: hosts that are called directly, a
    leading dot standing for all below. `ca_file`: authorities that an https one's certificate is checked by; empty: the
    system's."""

    name: str
    address: str
    username: str = ""
    password: str = field(default="", repr=False)
    bypass: tuple[str, ...] = ()
    ca_file: str = ""

    def carries(self, host: str) -> bool:
        host = host.lower()
        return not any(
            host == name.lstrip(".") or (name.startswith(".") and host.endswith(name)) for name in self.bypass
        )


@dataclass(frozen=True, slots=True)
class TransportSettings:
    """Seconds; None: the environment's, or without bound. Files are paths on the gateway's host."""

    connect_timeout: float | None = None
    header_timeout: float | None = None
    idle_timeout: float | None = None
    pool_size: int | None = None
    """Connections at once; a request that finds none free waits for one within its connect timeout."""
    pool_idle_seconds: float | None = None
    pool_life_seconds: float | None = None
    """Age at which a connection is not used again."""
    tls_minimum: str = ""
    ca_file: str = ""
    client_certificate_file: str = ""
    client_key_file: str = ""
    http2: bool = False
    """Spoken where TLS's negotiation allows it."""
    proxies: tuple[ProxyEntry, ...] = ()
    proxy_choice: ProxyChoice = ProxyChoice.IN_ORDER


DEFAULT_TRANSPORT = TransportSettings()
