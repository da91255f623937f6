"""Which addresses a provider may turn out to have, decided on what its name resolved to.

The environment is the operator's word: the hosts of its provider addresses and of TURNLOG_UPSTREAM_ALLOW_HOSTS may lie
anywhere. A host that only the configuration in the database names never reaches link-local addresses (cloud metadata
lives there), and no private or loopback one either as soon as TURNLOG_UPSTREAM_ALLOW_HOSTS is set.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reach:
    """`hosts`: in lower case. `restricted`: whether others may have public addresses only."""

    hosts: frozenset[str] = frozenset()
    restricted: bool = False

    def refusal(self, host: str, address: str) -> str | None:
        """Why `host` may not be called at `address` (an IP address in digits); None when it may."""
        if host.lower() in self.hosts:
            return None
        kind = kind_of(address.partition("%")[0])
        if kind is None or (kind == "private" and not self.restricted):
            return None
        return f"{host} is at the {kind} address {address}: add it to TURNLOG_UPSTREAM_ALLOW_HOSTS if that is meant"


def kind_of(address: str) -> str | None:
    """What is special about it; None: a public address."""
    found = ipaddress.ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    if found.is_link_local or found.is_unspecified or found.is_multicast:
        return "link-local" if found.is_link_local else "unusable"
    return "private" if found.is_private or found.is_loopback else None
