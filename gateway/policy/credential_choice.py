"""Which of a provider's credentials a request uses. Pure; `now` is Unix time in seconds.

A conversation stays with the credential it began with: thinking is bound to the account that made it. Otherwise the
one with the most requests left in its minute, among equals the one with the fewest in flight. One that the provider
limited rests until the time it named; one that it rejected, or that a person blocked, is not used.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MINUTE = 60.0
DEFAULT_REST = 60.0
LONGEST_REST = 24 * 3600.0
CONVERSATIONS = 10_000
CONVERSATION_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class CredentialEntry:
    """`per_minute`: requests it may make in a minute; None: as many as the provider takes. `blocked_until`: Unix time,
    infinity until it is unblocked; 0.0: it is not blocked."""

    name: str
    secret: str = field(repr=False)
    per_minute: int | None = None
    blocked_until: float = 0.0
