"""Whether and when a request is sent to the same provider once more, before the client has seen anything. Pure.

Off by default: the clients retry by themselves, 10 to 30 times, and both multiply.
"""

from __future__ import annotations

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
    """`on`: statuses as digits, and `connect`, `timeout`, `broken`. Seconds. `budget`: retries per first attempt."""

    attempts: int = 1
    on: frozenset[str] = frozenset()
    deadline: float = 30.0
    backoff: Backoff = Backoff.DECORRELATED
    base: float = 0.5
    longest: float = 10.0
    budget: float = 0.1
