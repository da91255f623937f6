"""What follows from a provider's address, and from those the environment names."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from gateway.policy.reach import Reach


@lru_cache(maxsize=1024)
def host_of(address: str) -> bytes:
    """The `Host` header for a provider's address."""
    return urlsplit(address).netloc.encode("ascii")


def reach_of(environment: Any) -> Reach:
    """Which addresses providers may have: those the environment names anywhere, others as it restricts them."""
    own = (urlsplit(address).hostname or "" for address in (environment.anthropic_url, environment.openai_url))
    listed = environment.upstream_allow_hosts
    return Reach(frozenset({*own, *(host.lower() for host in listed)}), restricted=bool(listed))


def public_reach(environment: Any) -> Reach:
    """Public addresses, and the hosts the environment allows by name: for what is not a provider, such as webhooks.
    Whoever may edit those is not to reach into the network with them."""
    return Reach(frozenset(host.lower() for host in environment.upstream_allow_hosts), restricted=True)
