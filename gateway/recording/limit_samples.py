"""Which rate-limit headers of an answer say something new.

Anthropic sends some twenty of them with every answer, and most say what they said before: kept each time they would
take more room than everything else of a turn. A sample is kept when its value is another than that of the
organization's answer before it, and every few minutes anyhow. What one answer said stands with its headers.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable

AGAIN_AFTER = datetime.timedelta(minutes=5)
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
        if before is not None and before[0] == value and before[1] <= at < before[1] + AGAIN_AFTER:
            return False
        if len(self._last) >= MOST_NAMES:
            self._last.clear()
        self._last[organization, name] = (value, at)
        return True
