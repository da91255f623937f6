"""How much of a request is kept: decided before anything of it is written, so that what is not to be kept never is.

`full`: everything, within a size and with parts masked where the policy says so. `metadata`: no bodies, and of headers
only the values of known ones. `none`: it is counted and nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.policy.masking import Pointer
from gateway.policy.patterns import fits

KNOWN_CHOICES: Final = 4096
LONGEST_KNOWN: Final = 400
KNOWN_BEGINNINGS: Final = (
    b"anthropic-", b"openai-", b"x-claude-code-", b"x-stainless-", b"x-ratelimit-", b"x-codex-",
)  # fmt: skip
KNOWN_HEADERS: Final = frozenset(
    {
        b"accept", b"accept-encoding", b"cache-control", b"cf-ray", b"content-encoding", b"content-length",
        b"content-type", b"date", b"host", b"request-id", b"retry-after", b"server", b"session-id", b"session_id",
        b"thread-id", b"transfer-encoding", b"user-agent", b"x-app", b"x-client-request-id", b"x-request-id",
        b"x-should-retry",
    }
)  # fmt: skip
FREE_TEXT: Final = frozenset({b"x-codex-turn-metadata"})
"""Begins like a known one, and holds what the client's machine is like."""

HeaderPair = tuple[bytes, bytes]


class CaptureMode(StrEnum):
    FULL = "full"
    METADATA = "metadata"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class CaptureRule:
    """Empty scopes: everybody. `models` and `paths` are names or patterns; `max_bytes` is of each body."""

    name: str
    mode: CaptureMode = CaptureMode.FULL
    max_bytes: int | None = None
    masks: tuple[Pointer, ...] = ()
    teams: frozenset[str] = frozenset()
    members: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """As the record names it."""
        return f"{self.name}: {self.mode.value}"

    def is_for(self, team: str, member: str, key: str, model: str, path: str) -> bool:
        return (
            (not self.teams or team in self.teams)
            and (not self.members or member in self.members)
            and (not self.keys or key in self.keys)
            and (not self.models or any(fits(match, model) for match in self.models))
            and (not self.paths or any(fits(match, path) for match in self.paths))
        )


class CapturePolicies:
    """In their order; the first that fits decides."""

    def __init__(self, rules: Sequence[CaptureRule]) -> None:
        self.rules = tuple(rules)
        self._known: dict[tuple[str, ...], CaptureRule | None] = {}

    def choose(self, team: str, member: str, key: str, model: str, path: str) -> CaptureRule | None:
        """None: all of it is kept."""
        asked = (team, member, key, model, path)
        if asked in self._known:
            return self._known[asked]
        found = next((rule for rule in self.rules if rule.is_for(*asked)), None)
        if len(self._known) >= KNOWN_CHOICES:
            self._known.clear()
        if len(model) + len(path) <= LONGEST_KNOWN:
            self._known[asked] = found
        return found


def known_values(pairs: Sequence[HeaderPair]) -> list[HeaderPair]:
    """The pairs, the values of headers that are not known taken out."""
    return [(name, value) if is_known(name.lower()) else (name, b"") for name, value in pairs]


def is_known(name: bytes) -> bool:
    return name in KNOWN_HEADERS or (name.startswith(KNOWN_BEGINNINGS) and name not in FREE_TEXT)
