"""Who may send how much at once: rules over requests a second and a minute, tokens a minute and requests under way.

A rule counts by its scope: one counter for everything, or one for each team, member, key, session, model, provider or
address. `names` narrow it to some of these, `models` to requests for some models.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.policy.networks import Network
from gateway.policy.patterns import fits
from gateway.policy.pools import Pool


class Scope(StrEnum):
    EVERYTHING = "everything"
    TEAM = "team"
    MEMBER = "member"
    """The person a key belongs to."""
    KEY = "key"
    SESSION = "session"
    MODEL = "model"
    PROVIDER = "provider"
    ADDRESS = "address"


class Measure(StrEnum):
    PER_SECOND = "requests a second"
    PER_MINUTE = "requests a minute"
    TOKENS_PER_MINUTE = "tokens a minute"
    AT_ONCE = "requests at once"
    USD = "US dollars"
    TOKENS = "tokens"


class WhenUnknown(StrEnum):
    """What happens while the count cannot be known: the counters in Redis are out of reach, or a budget's past is."""

    ALLOW = "allow"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Who:
    """A request as rules see it; empty: it has none."""

    team: str = ""
    member: str = ""
    key: str = ""
    session: str = ""
    model: str = ""
    provider: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    name: str
    scope: Scope = Scope.EVERYTHING
    names: tuple[str, ...] = ()
    """Names, or patterns; of addresses networks. Empty: each of them."""
    models: tuple[str, ...] = ()
    """Names, or patterns. Empty: whichever is asked for."""
    when_unknown: WhenUnknown = WhenUnknown.ALLOW
    networks: tuple[Network, ...] = ()
    """What `names` of addresses are."""

    def subject(self, who: Who) -> str | None:
        """Whose counter a request belongs to; None: the rule is not about it."""
        if self.models and not any(fits(pattern, who.model) for pattern in self.models):
            return None
        if self.scope is Scope.EVERYTHING:
            return ""
        value: str = getattr(who, self.scope.value)
        if not value or (self.names and not self._names(value)):
            return None
        return value

    def _names(self, value: str) -> bool:
        if self.scope is not Scope.ADDRESS:
            return any(fits(pattern, value) for pattern in self.names)
        try:
            address = ipaddress.ip_address(value.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self.networks)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRule(Rule):
    """None: not limited. `burst`: how many requests may come at once before the rate counts; None: what a rate allows
    in its second or minute."""

    per_second: float | None = None
    per_minute: float | None = None
    burst: int | None = None
    tokens_per_minute: int | None = None
    at_once: int | None = None

    def pools(self, now: float) -> dict[Measure, Pool]:
        """Fresh counters of one subject."""
        found: dict[Measure, Pool] = {}
        if self.per_second is not None:
            capacity = self.burst or max(1.0, self.per_second)
            found[Measure.PER_SECOND] = Pool(capacity, leak=self.per_second, unit=1.0, at=now)
        if self.per_minute is not None:
            capacity = self.burst or max(1.0, self.per_minute)
            found[Measure.PER_MINUTE] = Pool(capacity, leak=self.per_minute / 60, unit=1.0, at=now)
        if self.tokens_per_minute is not None:
            found[Measure.TOKENS_PER_MINUTE] = Pool(self.tokens_per_minute, leak=self.tokens_per_minute / 60, at=now)
        if self.at_once is not None:
            found[Measure.AT_ONCE] = Pool(self.at_once, unit=1.0, at=now)
        return found


def read_addresses(names: Iterable[str]) -> tuple[Network, ...]:
    """Raises ValueError for what is no network."""
    return tuple(ipaddress.ip_network(name) for name in names)
