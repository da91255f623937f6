"""How the providers have done of late, as the strategies ask it: requests under way, and the time to the first byte."""

from __future__ import annotations

import random
from collections import defaultdict

WEIGHT = 0.2
"""Of the newest time in the running mean."""
MOST_KNOWN = 2_000
"""Models are named by callers: of more than these the oldest are forgotten."""
Key = tuple[str, str]
"""(provider, model); the model is empty where the caller's is kept."""


class Figures:
    """For one process: `policy.routing.Live`."""

    def __init__(self) -> None:
        self._in_flight: defaultdict[Key, int] = defaultdict(int)
        self._first_byte: dict[Key, float] = {}
        self._turns: defaultdict[str, int] = defaultdict(int)

    def turn(self, route: str) -> int:
        number = self._turns[route]
        self._turns[route] = number + 1
        return number

    def chance(self) -> float:
        return random.random()  # noqa: S311 (shares of load, no secret)

    def in_flight(self, provider: str, model: str) -> int:
        return self._in_flight.get((provider, model), 0)

    def first_byte(self, provider: str, model: str) -> float | None:
        return self._first_byte.get((provider, model))

    def began(self, key: Key) -> None:
        self._in_flight[key] += 1

    def ended(self, key: Key) -> None:
        left = self._in_flight[key] - 1
        if left > 0:
            self._in_flight[key] = left
        else:
            del self._in_flight[key]

    def answered(self, key: Key, seconds: float) -> None:
        before = self._first_byte.get(key)
        if before is None and len(self._first_byte) >= MOST_KNOWN:
            del self._first_byte[next(iter(self._first_byte))]
        self._first_byte[key] = seconds if before is None else before + WEIGHT * (seconds - before)
