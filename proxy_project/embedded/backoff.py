"""How long to wait before starting something again that ended."""

from __future__ import annotations

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 10.0
HEALTHY_SECONDS = 30.0


class BackOff:
    """Doubles with each end, from 0.2 s to 10 s; begins anew after 30 s alive. Times are of a monotonic clock."""

    def __init__(self) -> None:
        self.delay = FIRST_SECONDS
        self.started_at = 0.0
        self.due_at = 0.0

    def started(self, now: float) -> None:
        self.started_at = now

    def ended(self, now: float) -> float:
        """The seconds to wait, which are due at `due_at`."""
        if now - self.started_at >= HEALTHY_SECONDS:
            self.delay = FIRST_SECONDS
        delay = self.delay
        self.delay = min(LONGEST_SECONDS, delay * 2)
        self.due_at = now + delay
        return delay
