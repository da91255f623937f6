"""Idle connections, by origin: the last given back is the first taken again, and one timer closes the old ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.upstream.connection import Connection

IDLE_SECONDS = 15.0


class Pool:
    """Holds only connections that may be used again; a connection in use belongs to its stream. No limit on number.

    `life_seconds`: the age at which a connection is not kept any more.
    """

    def __init__(self, idle_seconds: float = IDLE_SECONDS, life_seconds: float | None = None) -> None:
        self._idle_seconds = idle_seconds
        self._life_seconds = life_seconds
        self._idle: dict[tuple[str, str, int], list[Connection]] = {}
        self._places: dict[Connection, Callable[[], None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def __len__(self) -> int:
        return sum(len(kept) for kept in self._idle.values())

    def holds(self, key: tuple[str, str, int]) -> bool:
        """Whether there are connections to the origin."""
        return bool(self._idle.get(key))

    def take(self, key: tuple[str, str, int]) -> Connection | None:
        """The youngest usable connection to the origin. Those found unusable on the way are dropped."""
        kept = self._idle.get(key)
        while kept:
            connection = kept.pop()
            if connection.is_reusable():
                return connection
            connection.abort()
        return None

    def take_back(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        now = connection.idle_since = loop.time()
        self.lost(connection)
        if self._is_closed or (self._life_seconds is not None and now - connection.born > self._life_seconds):
            connection.close()
            return
        self._idle.setdefault(connection.key, []).append(connection)
        if self._timer is None:
            self._timer = loop.call_later(self._idle_seconds, self._expire)

    def placed(self, connection: Connection, give_back: Callable[[], None]) -> None:
        """It has one of a bounded number of places while it is in use."""
        self._places[connection] = give_back

    def lost(self, connection: Connection) -> None:
        """It is not in use any more."""
        give_back = self._places.pop(connection, None) if self._places else None
        if give_back is not None:
            give_back()

    def forget(self, connection: Connection) -> None:
        kept = self._idle.get(connection.key)
        if kept and connection in kept:
            kept.remove(connection)

    def close(self) -> None:
        """Close all idle connections, and those in use when they would come back."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.release()

    def release(self) -> None:
        """Close all idle connections."""
        for kept in self._idle.values():
            for connection in kept:
                connection.close()
        self._idle.clear()

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        edge = loop.time() - self._idle_seconds
        self._timer = None
        oldest: float | None = None
        for key, kept in list(self._idle.items()):
            while kept and kept[0].idle_since <= edge:
                kept.pop(0).close()
            if not kept:
                del self._idle[key]
            elif oldest is None or kept[0].idle_since < oldest:
                oldest = kept[0].idle_since
        if oldest is not None:
            self._timer = loop.call_at(oldest + self._idle_seconds, self._expire)
