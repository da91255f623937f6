"""Which of a provider's credentials a request uses. Pure; `now` is Unix time in seconds.

A conversation stays with the credential it began with: thinking is bound to the account that made it. Otherwise the
one with the most requests left in its minute, among equals the one with the fewest in flight. One that the provider
limited rests until the time it named, while there are others; one that it rejected, or that a person blocked, is not
used.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

MINUTE = 60.0
DEFAULT_REST = 60.0
LONGEST_REST = 24 * 3600.0
FORBIDDEN_BOUND = 3
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


class CredentialHealth:
    """What this process knows of one credential."""

    __slots__ = ("forbidden", "in_flight", "limited", "rejected", "resting_until", "used")

    def __init__(self) -> None:
        self.in_flight = 0
        self.resting_until = 0.0
        self.rejected = ""
        """Why the provider does not take it; empty: it does."""
        self.limited = 0
        self.forbidden = 0
        """403 in a row."""
        self.used: deque[float] = deque()

    def left(self, entry: CredentialEntry, now: float) -> float:
        """Requests it may still make in the minute that ends now."""
        if entry.per_minute is None:
            return float("inf")
        used = self.used
        while used and used[0] <= now - MINUTE:
            used.popleft()
        return entry.per_minute - len(used)


class CredentialChoice:
    """For one provider."""

    def __init__(self) -> None:
        self._health: dict[str, CredentialHealth] = {}
        self._bound: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def health(self, name: str) -> CredentialHealth:
        found = self._health.get(name)
        if found is None:
            found = self._health[name] = CredentialHealth()
        return found

    def known(self) -> list[tuple[str, CredentialHealth]]:
        return list(self._health.items())

    def take(
        self, entries: Sequence[CredentialEntry], now: float, conversation: str = "", without: Collection[str] = ()
    ) -> CredentialEntry | None:
        """The credential to use, counted as in flight until `give_back`; None: none can be used now."""
        alone = len(entries) == 1
        usable = [entry for entry in entries if entry.name not in without and self.usable(entry, now, alone=alone)]
        if not usable:
            return None
        chosen = self._bound_one(usable, now, conversation)
        if chosen is None:
            chosen = usable[0] if len(usable) == 1 else max(usable, key=lambda entry: self._rank(entry, now))
        health = self.health(chosen.name)
        health.in_flight += 1
        if chosen.per_minute is not None:
            health.used.append(now)
        if conversation:
            self._bind(conversation, chosen.name, now)
        return chosen

    def give_back(self, name: str) -> None:
        self.health(name).in_flight -= 1

    def usable(self, entry: CredentialEntry, now: float, *, alone: bool = False) -> bool:
        """One that is `alone` does not rest: nothing else could be used, and the provider knows best whether it may."""
        health = self.health(entry.name)
        if entry.blocked_until > now or health.rejected or (health.resting_until > now and not alone):
            return False
        return health.left(entry, now) > 0

    def limited(self, name: str, now: float, seconds: float | None) -> float:
        """The provider said 429: it rests, never shorter than it was to already. Returns until when."""
        health = self.health(name)
        health.limited += 1
        rest = DEFAULT_REST if seconds is None else min(max(seconds, 0.0), LONGEST_REST)
        health.resting_until = max(health.resting_until, now + rest)
        return health.resting_until

    def refused(self, name: str, status: int) -> bool:
        """The provider said 401 or 403. True when the credential is not used any more: at once after 401; a 403 may be
        about what was asked for, so it takes three in a row."""
        health = self.health(name)
        health.forbidden += 1
        if status != 401 and health.forbidden < FORBIDDEN_BOUND:
            return False
        health.rejected = f"the provider answered {status}"
        return True

    def succeeded(self, name: str) -> None:
        health = self.health(name)
        health.resting_until = 0.0
        health.forbidden = 0

    def forget(self, name: str) -> None:
        """Its health is as new: it was unblocked, or its secret was replaced. What is under way still counts."""
        before = self._health.pop(name, None)
        if before is not None and before.in_flight:
            self.health(name).in_flight = before.in_flight

    def wait(self, entries: Sequence[CredentialEntry], now: float) -> float | None:
        """Seconds until one can be used again; None: none comes back by itself."""
        times = [time for time in (self._free_at(entry, now) for entry in entries) if time != float("inf")]
        return max(0.0, min(times) - now) if times else None

    def _free_at(self, entry: CredentialEntry, now: float) -> float:
        health = self.health(entry.name)
        if health.rejected:
            return float("inf")
        free = max(now, entry.blocked_until, health.resting_until)
        if health.left(entry, now) <= 0:
            free = max(free, health.used[0] + MINUTE if health.used else float("inf"))
        return free

    def _rank(self, entry: CredentialEntry, now: float) -> tuple[float, int]:
        health = self.health(entry.name)
        return health.left(entry, now), -health.in_flight

    def _bound_one(self, usable: list[CredentialEntry], now: float, conversation: str) -> CredentialEntry | None:
        bound = self._bound.get(conversation) if conversation else None
        if bound is None or bound[1] <= now:
            return None
        return next((entry for entry in usable if entry.name == bound[0]), None)

    def _bind(self, conversation: str, name: str, now: float) -> None:
        self._bound[conversation] = (name, now + CONVERSATION_SECONDS)
        self._bound.move_to_end(conversation)
        if len(self._bound) > CONVERSATIONS:
            self._bound.popitem(last=False)
