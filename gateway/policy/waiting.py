"""Who of those that wait for a provider goes next: bounded, by priority, fair between keys. Pure.

Places are counted, not held by time. Long requests never take the last quarter of the places, so that short ones find
one. Among those of the highest priority that waits, keys take turns.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from enum import Enum, StrEnum


class WhenFull(StrEnum):
    """What happens to a request that finds every place taken."""

    REJECT = "reject"
    """It waits in the queue; when that is full too, it is refused."""
    SPILL = "spill"
    """It goes to the route's next target at once."""
    WAIT = "wait"
    """It waits however long the queue is, up to the longest wait."""


@dataclass(frozen=True, slots=True)
class QueueRules:
    """`places`: requests at once. `size`: how many may wait. `longest_wait` in seconds."""

    places: int
    size: int = 100
    longest_wait: float = 30.0
    when_full: WhenFull = WhenFull.REJECT
    long_bytes: int = 1024 * 1024
    """A request with a body of this size or more is a long one."""


class Entry(Enum):
    STARTED = "started"
    WAITING = "waiting"
    FULL = "full"


class WaitingRoom:
    """Requests by a number of the caller's choice."""

    def __init__(self, rules: QueueRules) -> None:
        self.rules = rules
        self.running = 0
        self.long_running = 0
        self._waiting = {True: 0, False: 0}
        # A key's long requests have a line of their own: its short ones must not wait behind them.
        self._levels: dict[int, OrderedDict[tuple[str, bool], deque[int]]] = {}
        self._gone: set[int] = set()

    @property
    def waiting(self) -> int:
        return self._waiting[True] + self._waiting[False]

    @property
    def long_places(self) -> int:
        """How many places long requests may take; all, where there are too few to keep one back."""
        places = self.rules.places
        return places if places < 2 else places - max(1, places // 4)

    def enter(self, ident: int, key: str, priority: int, *, is_long: bool) -> Entry:
        """`key`: whose it is; the higher `priority` goes first."""
        nobody_before = not self._waiting[False] and (not is_long or not self._waiting[True])
        if nobody_before and self._has_place(is_long):
            self._start(is_long)
            return Entry.STARTED
        if self.rules.when_full is not WhenFull.WAIT and self.waiting >= self.rules.size:
            return Entry.FULL
        self._levels.setdefault(priority, OrderedDict()).setdefault((key, is_long), deque()).append(ident)
        self._waiting[is_long] += 1
        return Entry.WAITING

    def leave(self, *, is_long: bool) -> list[int]:
        """One that ran has ended; the ids of those that start now."""
        self.running -= 1
        self.long_running -= is_long
        return self._advance()

    def give_up(self, ident: int, *, is_long: bool) -> None:
        """One that waits waits no more."""
        self._gone.add(ident)
        self._waiting[is_long] -= 1

    def resize(self, rules: QueueRules) -> list[int]:
        """Other rules from now on; the ids of those that start by them."""
        self.rules = rules
        return self._advance()

    def _has_place(self, is_long: bool) -> bool:
        if self.running >= self.rules.places:
            return False
        return not is_long or self.long_running < self.long_places

    def _start(self, is_long: bool) -> None:
        self.running += 1
        self.long_running += is_long

    def _advance(self) -> list[int]:
        started: list[int] = []
        while self.waiting and self.running < self.rules.places:
            found = self._next()
            if found is None:
                break
            ident, is_long = found
            self._waiting[is_long] -= 1
            self._start(is_long)
            started.append(ident)
        return started

    def _next(self) -> tuple[int, bool] | None:
        """The next that may start; its line goes behind the others of its level."""
        for priority in sorted(self._levels, reverse=True):
            level = self._levels[priority]
            for line_key in list(level):
                line = level[line_key]
                self._drop_gone(line)
                if not line:
                    del level[line_key]
                elif self._has_place(line_key[1]):
                    level.move_to_end(line_key)
                    return line.popleft(), line_key[1]
            if not level:
                del self._levels[priority]
        return None

    def _drop_gone(self, line: deque[int]) -> None:
        while line and line[0] in self._gone:
            self._gone.discard(line.popleft())
