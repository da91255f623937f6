"""Whether and when a request is sent to the same provider once more, before the client has seen anything. Pure.

Off by default: the clients retry by themselves, 10 to 30 times, and both multiply.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Backoff(StrEnum):
    """How the pauses grow."""

    EXPONENTIAL = "exponential"
    LINEAR = "linear"
    FIBONACCI = "fibonacci"
    DECORRELATED = "decorrelated"
    """Random between the base and three times the last pause, so that callers who failed together part."""


@dataclass(frozen=True, slots=True)
class RetryRules:
    """`on`: statuses as digits, and `connect`, `timeout`, `broken`. Seconds; `deadline`: after the first try
    began, no retry begins. `budget`: retries per first attempt."""

    attempts: int = 1
    on: frozenset[str] = frozenset()
    deadline: float = 30.0
    backoff: Backoff = Backoff.DECORRELATED
    base: float = 0.5
    longest: float = 10.0
    budget: float = 0.1


PAUSES: dict[Backoff, Callable[[float, int, float, float], float]] = {
    Backoff.EXPONENTIAL: lambda base, number, previous, chance: base * 2.0 ** (number - 1),
    Backoff.LINEAR: lambda base, number, previous, chance: base * number,
    Backoff.FIBONACCI: lambda base, number, previous, chance: base * fibonacci(number),
    Backoff.DECORRELATED: lambda base, number, previous, chance: base + chance * (max(base, previous) * 3 - base),
}


def pause(rules: RetryRules, number: int, previous: float, chance: float) -> float:
    """Seconds before retry `number` (1 is the first); `chance` is random in [0, 1), `previous` the pause before."""
    return min(rules.longest, PAUSES[rules.backoff](rules.base, min(number, 64), previous, chance))


def fibonacci(number: int) -> int:
    low, high = 0, 1
    for _ in range(number):
        low, high = high, low + high
    return low


class RetryBudget:
    """Lets retries be at most a share of what is sent, so that they cannot become the load that breaks a provider.

    A few are always free: with little traffic a share of it would be none.
    """

    __slots__ = ("_tokens",)

    FREE = 10.0

    def __init__(self) -> None:
        self._tokens = self.FREE

    def sent(self, share: float) -> None:
        """A first attempt was made."""
        self._tokens = min(self.FREE, self._tokens + share)

    def take(self) -> bool:
        """Whether one more retry is within the budget; counts it when it is."""
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
