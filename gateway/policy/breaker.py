"""A circuit breaker: does the provider answer, and who finds out whether it does again. Pure; `now` is in seconds.

    CLOSED ──too many failures──▶ OPEN ──open_seconds──▶ HALF_OPEN ──enough good probes──▶ CLOSED
                                   ▲                        │
                                   └────── a bad probe ─────┘

One probe is out at a time; one that never reports is forgotten after `open_seconds`. Held open or closed by hand it
stays so until it is reset. In mode `observe` it goes through the same states and the edge asks it without obeying.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

BUCKETS = 12
"""Parts of the window that are forgotten one by one."""


class BreakerMode(StrEnum):
    AUTO = "auto"
    """enforce where a request has another target to go to, else observe."""
    OFF = "off"
    OBSERVE = "observe"
    ENFORCE = "enforce"


class BreakerState(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


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


class Pass(Enum):
    """What a request was told, to be handed back with its result."""

    THROUGH = "through"
    PROBE = "probe"
    REFUSED = "refused"


class Transition(NamedTuple):
    at: float
    before: BreakerState
    after: BreakerState
    reason: str


class Breaker:
    """Of one provider and model. `tell` is called with each transition."""

    __slots__ = (
        "_bad", "_good", "_newest", "consecutive", "good_probes", "held", "opened_at", "probe_since", "rules",
        "state", "tell",
    )  # fmt: skip

    def __init__(self, rules: BreakerRules, tell: Callable[[Transition], None] | None = None) -> None:
        self.rules = rules
        self.state = BreakerState.CLOSED
        self.tell = tell
        self.consecutive = 0
        self.good_probes = 0
        self.opened_at = 0.0
        self.probe_since: float | None = None
        self.held: str | None = None
        """Why a person holds it in its state; None: nobody does."""
        self._good = [0] * BUCKETS
        self._bad = [0] * BUCKETS
        self._newest = 0

    def ask(self, now: float) -> Pass:
        """May a request go? A probe must report with `succeeded`, `failed` or `abandoned`."""
        if self.state is BreakerState.CLOSED:
            return Pass.THROUGH
        if self.held is not None:
            return Pass.REFUSED
        if self.state is BreakerState.OPEN:
            if now < self.opened_at + self.rules.open_seconds:
                return Pass.REFUSED
            self.good_probes = 0
            self._move(now, BreakerState.HALF_OPEN, f"{self.rules.open_seconds:g} s have passed")
        elif self.probe_since is not None and now < self.probe_since + self.rules.open_seconds:
            return Pass.REFUSED
        self.probe_since = now
        return Pass.PROBE

    def retry_after(self, now: float) -> float:
        """Seconds after which asking again may help; at least one."""
        since = self.opened_at if self.state is BreakerState.OPEN else (self.probe_since or now)
        return max(1.0, since + self.rules.open_seconds - now)

    def succeeded(self, now: float, passed: Pass) -> None:
        if passed is Pass.THROUGH and self.state is BreakerState.CLOSED:
            self.consecutive = 0
            self._good[self._bucket(now)] += 1
        elif passed is Pass.PROBE and self.state is BreakerState.HALF_OPEN:
            self.probe_since = None
            self.good_probes += 1
            if self.good_probes >= self.rules.successes and self.held is None:
                self._close(now, f"{self.good_probes} probes succeeded")

    def failed(self, now: float, passed: Pass, reason: str) -> None:
        """The provider failed: a 5xx, a timeout, a broken connection. Nothing else counts."""
        if passed is Pass.PROBE and self.state is BreakerState.HALF_OPEN:
            self.probe_since = None
            self._open(now, f"the probe failed: {reason}")
        elif passed is Pass.THROUGH and self.state is BreakerState.CLOSED:
            self.consecutive += 1
            self._bad[self._bucket(now)] += 1
            if self.held is None:
                self._judge(now, reason)

    def abandoned(self, passed: Pass) -> None:
        """The client left before the provider showed anything: that says nothing about it."""
        if passed is Pass.PROBE:
            self.probe_since = None

    def hold_open(self, now: float, reason: str) -> None:
        """By a person, until `reset`."""
        self.held = reason
        self._open(now, reason)

    def hold_closed(self, now: float, reason: str) -> None:
        self._close(now, reason)
        self.held = reason

    def reset(self, now: float, reason: str) -> None:
        """Closed, nothing counted, nobody holding it."""
        self.held = None
        self._close(now, reason)

    def adopt(self, now: float, opened_at: float | None, reason: str) -> None:
        """What another process found out: open since `opened_at`, or closed (None)."""
        if self.held is not None:
            return
        if opened_at is None:
            if self.state is not BreakerState.CLOSED:
                self._close(now, reason)
        elif self.state is BreakerState.CLOSED and opened_at + self.rules.open_seconds > now:
            self._open(now, reason)
            self.opened_at = opened_at

    def counts(self, now: float) -> tuple[int, int]:
        """(good, bad) within the window."""
        self._bucket(now)
        return sum(self._good), sum(self._bad)

    def _judge(self, now: float, reason: str) -> None:
        rules = self.rules
        if self.consecutive >= rules.failures:
            self._open(now, f"{self.consecutive} failures in a row, the last: {reason}")
            return
        good, bad = self.counts(now)
        if good + bad >= rules.volume and bad >= rules.error_share * (good + bad):
            share = f"{bad} of {good + bad} requests failed within {rules.window:g} s"
            self._open(now, f"{share}, the last: {reason}")

    def _open(self, now: float, reason: str) -> None:
        self.opened_at = now
        self.probe_since = None
        self._move(now, BreakerState.OPEN, reason)

    def _close(self, now: float, reason: str) -> None:
        self.consecutive = self.good_probes = 0
        self.probe_since = None
        self._good, self._bad = [0] * BUCKETS, [0] * BUCKETS
        self._move(now, BreakerState.CLOSED, reason)

    def _move(self, now: float, after: BreakerState, reason: str) -> None:
        before, self.state = self.state, after
        if before is not after and self.tell is not None:
            self.tell(Transition(now, before, after, reason))

    def _bucket(self, now: float) -> int:
        """Where `now` is counted, with what lies outside the window forgotten."""
        tick = int(now * BUCKETS / self.rules.window)
        passed = tick - self._newest
        if passed > 0:
            self._newest = tick
            for number in range(min(passed, BUCKETS)):
                self._good[(tick - number) % BUCKETS] = self._bad[(tick - number) % BUCKETS] = 0
        return self._newest % BUCKETS
