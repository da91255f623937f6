"""What rate-limit headers mean: how much of a window is used, when it begins anew."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.history.limit_values import LENGTHS, moment, number, span

UNIFIED: Final = re.compile(r"anthropic-ratelimit-unified-(?P<window>[\w.]+?)-(?P<what>utilization|reset|status)")
COUNTED: Final = re.compile(
    r"(?P<family>anthropic-ratelimit|x-ratelimit)-"
    r"(?:(?P<what1>limit|remaining|reset)-(?P<window1>[\w-]+)|(?P<window2>[\w-]+?)-(?P<what2>limit|remaining|reset))"
)
CODEX: Final = re.compile(
    r"x-codex-(?P<window>[\w-]+?)-(?P<what>used-percent|window-minutes|reset-after-seconds|reset-at)"
)


@dataclass(slots=True)
class Gauge:
    """`used` from 0 to 1 (it may be more); None: not said. `limit` and `remaining` count what the window counts."""

    name: str
    used: float | None = None
    resets_at: datetime.datetime | None = None
    status: str = ""
    limit: float | None = None
    remaining: float | None = None
    length: datetime.timedelta | None = None

    @property
    def percent(self) -> float | None:
        return None if self.used is None else round(self.used * 100, 1)

    @property
    def tone(self) -> str:
        if self.used is None:
            return ""
        return "bad" if self.used >= 0.9 else "warn" if self.used >= 0.7 else "good"


def gauges(headers: Mapping[str, str], at: datetime.datetime) -> list[Gauge]:
    """One for each window that is understood; `at` is when the headers came, for times relative to it."""
    found: dict[str, Gauge] = {}
    for name, value in headers.items():
        for read in (read_unified, read_codex, read_counted):
            if read(found, name.lower(), value, at):
                break
    for gauge in found.values():
        if gauge.used is None and gauge.limit and gauge.remaining is not None:
            gauge.used = 1 - gauge.remaining / gauge.limit
    return [gauge for gauge in found.values() if gauge.used is not None or gauge.resets_at is not None]


def read_unified(found: dict[str, Gauge], name: str, value: str, at: datetime.datetime) -> bool:
    match = UNIFIED.fullmatch(name)
    if match is None:
        return False
    gauge = found.setdefault(match["window"], Gauge(match["window"], length=LENGTHS.get(match["window"])))
    if match["what"] == "utilization":
        gauge.used = number(value)
    elif match["what"] == "reset":
        gauge.resets_at = moment(value, at)
    else:
        gauge.status = value[:40]
    return True


def read_codex(found: dict[str, Gauge], name: str, value: str, at: datetime.datetime) -> bool:
    match = CODEX.fullmatch(name)
    if match is None:
        return False
    key = f"codex {match['window']}"
    gauge = found.setdefault(key, Gauge(key))
    amount = number(value)
    if match["what"] == "used-percent":
        gauge.used = None if amount is None else amount / 100
    elif match["what"] == "window-minutes":
        gauge.length = None if amount is None else span(amount * 60)
    elif match["what"] == "reset-at":
        gauge.resets_at = moment(value, at)
    elif amount is not None and (after := span(amount)) is not None:
        gauge.resets_at = at + after
    return True


def read_counted(found: dict[str, Gauge], name: str, value: str, at: datetime.datetime) -> bool:
    match = COUNTED.fullmatch(name)
    if match is None:
        return False
    key = (match["window1"] or match["window2"]).replace("-", " ")
    what = match["what1"] or match["what2"]
    gauge = found.setdefault(key, Gauge(key))
    if what == "limit":
        gauge.limit = number(value)
    elif what == "remaining":
        gauge.remaining = number(value)
    else:
        gauge.resets_at = moment(value, at)
    return True
