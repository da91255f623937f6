"""One word for each way a try can fail, as the rules about retries and fallbacks name them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from email.utils import parsedate_to_datetime


def kind_of_failure(phase: str, *, timed_out: bool) -> str:
    """connect, timeout or broken: nobody took the connection, however long it took to know, is connect."""
    if phase == "connect":
        return "connect"
    return "timeout" if timed_out else "broken"


def allows(kinds: Collection[str], kind: str) -> bool:
    """Whether `kind`, a word or a status in digits, is among them; `5xx` stands for all statuses of its class."""
    return kind in kinds or (kind.isdigit() and f"{kind[0]}xx" in kinds)


def retry_after(headers: Sequence[tuple[bytes, bytes]], now: float) -> float | None:
    """Seconds from `now` (Unix time) by a `Retry-After` in seconds or as a date; None: there is none to be read."""
    for name, value in headers:
        if name.lower() == b"retry-after":
            text = value.decode("latin-1").strip()
            try:
                return max(0.0, float(text))
            except ValueError:
                return seconds_until(text, now)
    return None


def seconds_until(text: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
