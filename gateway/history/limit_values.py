"""What the values of rate-limit headers say: numbers, times, and how long the windows are that have names."""

from __future__ import annotations

import datetime
import re
from typing import Final

DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
LENGTHS: Final = {
    "5h": datetime.timedelta(hours=5),
    "7d": datetime.timedelta(days=7),
}


def number(text: str) -> float | None:
    """A finite number that is not below zero."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found < 1e15 else None


def span(seconds: float) -> datetime.timedelta | None:
    return datetime.timedelta(seconds=seconds) if seconds < 1e9 else None


def moment(text: str, at: datetime.datetime) -> datetime.datetime | None:
    """Seconds of Unix time, an ISO 8601 time, or a duration from `at` on, such as `6m0s`."""
    amount = number(text)
    try:
        if amount is not None:
            after = span(amount) if amount < 1e8 else None
            return at + after if after is not None else datetime.datetime.fromtimestamp(amount, datetime.UTC)
        parts = DURATION.findall(text)
        if parts and "".join(f"{count}{unit}" for count, unit in parts) == text:
            after = span(sum(float(count) * UNITS[unit] for count, unit in parts))
            return at + after if after is not None else None
        found = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
