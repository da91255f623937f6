"""From which addresses a caller may call."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Networks:
    """`allowed` empty: every address that is not denied."""

    allowed: tuple[Network, ...] = ()
    denied: tuple[Network, ...] = ()

    def admit(self, address: str) -> bool:
        """`address` in digits; one that is none (a socket file's) is admitted only where nothing is asked."""
        return not (self.allowed or self.denied) or holds(self, address)


@lru_cache(maxsize=8192)
def holds(networks: Networks, address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    found = getattr(found, "ipv4_mapped", None) or found
    if any(found in network for network in networks.denied):
        return False
    return not networks.allowed or any(found in network for network in networks.allowed)


def read_networks(allowed: Iterable[str], denied: Iterable[str]) -> Networks:
    """Raises ValueError when a text is no network."""
    return Networks(
        tuple(ipaddress.ip_network(text) for text in allowed), tuple(ipaddress.ip_network(text) for text in denied)
    )
