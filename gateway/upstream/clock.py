"""One lazily armed timer for a connection: a deadline may be moved with every chunk, the timer only looks at it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

NEVER = float("inf")


class Clock:
    """`deadline` (of the loop's time) may be moved freely. `look(now)` is asked when it may have passed.

    When `look` answers True the watch goes on. It is asked at least once in each `tick`, the shortest of the timeouts
    in use, so that a deadline that was moved nearer is not missed.
    """

    __slots__ = ("_look", "_loop", "_tick", "_timer", "deadline")

    def __init__(self, loop: asyncio.AbstractEventLoop, look: Callable[[float], bool]) -> None:
        self.deadline = NEVER
        self._loop = loop
        self._look = look
        self._tick = NEVER
        self._timer: asyncio.TimerHandle | None = None

    def allow(self, seconds: float) -> None:
        """Move the deadline to `seconds` from now."""
        self.deadline = self._loop.time() + seconds

    def watch(self, tick: float) -> None:
        """Begin, or go on with a running timer where that looks often enough."""
        if self._timer is not None and tick >= self._tick:
            return
        self.stop()
        if tick != NEVER:
            self._tick = tick
            self._timer = self._loop.call_later(tick, self._fire)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """Stop for good, and let go of who is asked: it holds this."""
        self.stop()
        self._look = never

    def _fire(self) -> None:
        self._timer = None
        now = self._loop.time()
        if self._look(now) and self._timer is None:
            until = self.deadline if self.deadline > now else now + self._tick
            self._timer = self._loop.call_at(min(until, now + self._tick), self._fire)


def never(now: float) -> bool:
    return False
