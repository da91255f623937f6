"""What the hot path knows of the configuration: immutable, in memory, replaced whole when ops change something."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.dialects.names import ProviderDialect, Shortcut


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """A provider as the relay needs it. `address` is origin and path prefix, without a trailing slash or `/v1`."""

    name: str
    dialect: ProviderDialect
    address: str
    credential: str | None = field(default=None, repr=False)
    """The key in clear that the gateway uses for it, when it has one."""


@dataclass(frozen=True, slots=True)
class RouteEntry:
    match: str
    provider: str
    model: str
    """Empty: the caller's model is kept."""
    demote: bool = False
    """A call for a whole answer goes out as one for a stream."""
    shortcuts: frozenset[Shortcut] = frozenset()


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a key stands for."""

    name: str
    team: str = ""
    expires_at: float | None = None
    """Unix time; None: never."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`providers` always holds the two defaults, `anthropic` and `openai`. `exact_routes` by model name;
    `pattern_routes` in the order they are tried; `callers` by the key's digest (HMAC-SHA256)."""

    version: int
    keyed: bool
    providers: Mapping[str, ProviderEntry]
    exact_routes: Mapping[str, RouteEntry] = field(default_factory=dict)
    pattern_routes: tuple[RouteEntry, ...] = ()
    callers: Mapping[bytes, Caller] = field(default_factory=dict, repr=False)
