"""Which rate-limit headers of an answer say something new.

Anthropic sends some twenty of them with every answer, and most say what they said before: kept each time they would
take more room than everything else of a turn. A sample is kept when its value is another than that of the
organization's answer before it, and every half hour anyhow. A time at which a limit is full again moves a little with
every answer: it is another when it is more than a minute from the one kept. What one answer said stands with its
headers.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable

AGAIN_AFTER = datetime.timedelta(minutes=30)
SAME_INSTANT = datetime.timedelta(minutes=1)
EARLIEST_EPOCH = 1_000_000_000
"""Seconds; a smaller number of a reset is a duration."""
MOST_NAMES = 5_000


class LimitSamples:
    """What this process kept last, by organization and name. Forgetting costs a sample more, never one less."""

    def __init__(self) -> None:
        self._last: dict[tuple[str | None, str], tuple[str, datetime.datetime]] = {}

    def new(
        self, organization: str | None, samples: Iterable[tuple[str, str]], at: datetime.datetime
    ) -> list[tuple[str, str]]:
        """Those of the samples, (name, value), that are to be kept."""
        return [(name, value) for name, value in samples if self._is_new(organization, name, value, at)]

    def _is_new(self, organization: str | None, name: str, value: str, at: datetime.datetime) -> bool:
        before = self._last.get((organization, name))
        if before is not None and before[1] <= at < before[1] + AGAIN_AFTER and is_same(name, before[0], value):
            return False
        if len(self._last) >= MOST_NAMES:
            self._last.clear()
        self._last[organization, name] = (value, at)
        return True


def is_same(name: str, before: str, value: str) -> bool:
    if before == value:
        return True
    if not name.endswith(("-reset", "-reset-at")):
        return False
    first, second = instant(before), instant(value)
    return first is not None and second is not None and abs(second - first) <= SAME_INSTANT


def instant(value: str) -> datetime.datetime | None:
    """A time of RFC 3339 or in seconds since 1970; None when it is neither, as a duration is."""
    try:
        if value.isascii() and value.isdigit():
            seconds = int(value)
            return datetime.datetime.fromtimestamp(seconds, datetime.UTC) if seconds >= EARLIEST_EPOCH else None
        found = datetime.datetime.fromisoformat(value)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else None
