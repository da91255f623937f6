"""Who of those that wait for a provider goes next: bounded, by priority, fair between keys. Pure.

Places are counted, not held by time. Long requests never take the last quarter of the places, so that short ones find
one. Among those of the highest priority that waits, keys take turns.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
