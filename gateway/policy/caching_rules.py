"""Which answers are kept to be given again, for how long, and which are not given again any more. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.policy.patterns import fits


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRule:
    """Empty tuples: all. `seconds`: how long an answer is good. `max_bytes`: of one answer."""

    name: str
    models: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    seconds: float = 3600.0
    max_bytes: int = 1024 * 1024
    ignored: frozenset[bytes] = frozenset()
    """Names of top-level members of the body, as they are written."""
    varied: tuple[bytes, ...] = ()
    """Lower-case names of headers that count beside those that always do."""
    keeps: bool = True
    in_redis: bool = False
    joins: bool = False
    """Requests that come while the same is being answered wait for that answer."""

    def is_about(self, model: str, key: str, team: str) -> bool:
        return any_fits(self.models, model) and any_fits(self.keys, key) and any_fits(self.teams, team)


@dataclass(frozen=True, slots=True)
class Clearing:
    """Answers made until `at` (Unix time) that all of these fit are not given again. Empty: whatever it is."""

    at: float
    model: str = ""
    key: str = ""
    team: str = ""

    def takes(self, made: float, model: str, key: str, team: str) -> bool:
        told = ((self.model, model), (self.key, key), (self.team, team))
        return made <= self.at and all(not pattern or fits(pattern, value) for pattern, value in told)


@dataclass(frozen=True, slots=True)
class Caching:
    """`max_bytes`: of all answers kept in a process's memory."""

    rules: tuple[CacheRule, ...] = ()
    clearings: tuple[Clearing, ...] = ()
    max_bytes: int = 64 * 1024 * 1024
    mark: str = ""
    """Of what changes requests and answers on their way: providers and header rules."""

    def rule(self, model: str, key: str, team: str) -> CacheRule | None:
        return next((rule for rule in self.rules if rule.is_about(model, key, team)), None)

    def is_cleared(self, made: float, model: str, key: str, team: str) -> bool:
        return any(clearing.takes(made, model, key, team) for clearing in self.clearings)


def any_fits(patterns: tuple[str, ...], value: str) -> bool:
    return not patterns or any(fits(pattern, value) for pattern in patterns)
