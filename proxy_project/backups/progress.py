"""How far a long command has come, a line a second, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable

EVERY_SECONDS = 1.0
UNITS = ("bytes", "kB", "MB", "GB", "TB")


class Progress:
    """Bytes of one part of the work; `total` is what is expected, when something is."""

    def __init__(self, what: str, say: Callable[[str], None], total: int | None = None) -> None:
        self.what = what
        self.done = 0
        self._say = say
        self._total = total
        self._told = time.monotonic()

    def add(self, size: int) -> None:
        self.done += size
        if time.monotonic() - self._told >= EVERY_SECONDS:
            self._told = time.monotonic()
            self._say(f"{self.what}: {amount(self.done)}" + (f" of {amount(self._total)}" if self._total else ""))

    def finish(self) -> None:
        self._say(f"{self.what}: {amount(self.done)}, done")


def amount(size: int) -> str:
    value = float(size)
    for unit in UNITS:
        if value < 1000 or unit == UNITS[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
