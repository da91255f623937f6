"""A circuit breaker: does the provider answer, and who finds out whether it does again. Pure; `now` is in seconds.

    CLOSED ──too many failures──▶ OPEN ──open_seconds──▶ HALF_OPEN ──enough good probes──▶ CLOSED
                                   ▲                        │
                                   └────── a bad probe ─────┘

One probe is out at a time; one that never reports is forgotten after `open_seconds`. Held open or closed by hand it
stays so until it is reset. In mode `observe` it goes through the same states and the edge asks it without obeying.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

BUCKETS = 12
"""Parts of the window that are forgotten one by one."""


class BreakerMode(StrEnum):
    AUTO = "auto"
    """enforce where a request has another target to go to, else observe."""
    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """`failures` in a row open it, and so does `error_share` of at least `volume` requests within `window` seconds."""

    mode: BreakerMode = BreakerMode.AUTO
    failures: int = 5
    open_seconds: float = 30.0
    successes: int = 2
    error_share: float = 0.5
    window: float = 60.0
    volume: int = 20
