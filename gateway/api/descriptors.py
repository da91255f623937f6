"""How many connections a process may have: each is a file descriptor, and the system gives it no more than so many.

A connection that finds no descriptor is lost without a word, and a request whose provider cannot be called for want of
one is a 502 that blames the provider. So both are counted before they are made: a request is let through when there is
a descriptor for its provider too, else it is told 503; and some are kept back for telling so. When these are used up as
well nobody is taken in: who comes waits in the system's queue until somebody has left.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Sized

SPARE = 64
"""Kept back for what comes and goes beside connections: segments of the spool, the database, look-ups of names."""
REFUSALS = 64
"""Connections beyond those that are served, at most: they are told that there is no room."""
WANTED = 65_536


class Descriptors:
    """`connections` are the clients' that are open, `idle` tells how many to providers are kept without use, `release`
    closes those."""

    def __init__(self, idle: Callable[[], int], release: Callable[[], None]) -> None:
        self.connections: Sized = ()
        self.granted = 0
        """Requests under way, each of which may have a connection to a provider."""
        self._idle = idle
        self._release = release
        self._held = 0
        self.ceiling = sys.maxsize

    def begin(self, connections: Sized) -> None:
        """Count what is open when nobody has come yet."""
        self.connections = connections
        self._held = open_descriptors()
        self.look()

    def look(self) -> None:
        """Read the limit again; it may be changed from outside while we run."""
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit != resource.RLIM_INFINITY:
            self.ceiling = max(4, limit - self._held - SPARE)

    def has_room(self) -> bool:
        """For one more client. Connections to providers that nobody uses make way."""
        return self._fits(1, self.ceiling)

    def grant(self) -> bool:
        """For one request, its connection to a provider; to be given back by `give_back`."""
        if not self.could_grant():
            return False
        self.granted += 1
        return True

    def could_grant(self) -> bool:
        return self._fits(1, self.ceiling - min(REFUSALS, self.ceiling // 4))

    def give_back(self) -> None:
        self.granted -= 1

    def _fits(self, more: int, edge: int) -> bool:
        wanted = len(self.connections) + self.granted + more
        if wanted > edge:
            return False
        # Idle ones never outnumber what was in use at once, so below half there is nothing to count.
        if wanted * 2 > edge and wanted + self._idle() > edge:
            self._release()
        return True


def open_descriptors() -> int:
    for place in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(place))
        except OSError:
            continue
    return SPARE


def raise_limit() -> None:
    """As many as we may have: nothing here uses select(), for whose sake the usual limit is low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return
