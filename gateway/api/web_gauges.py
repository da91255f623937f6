"""What a `web` process says of itself, and how late its event loop is."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import psutil

from gateway.metrics.gauges import Gauge, GaugeTeller
from gateway.metrics.tallies import LiveTallies
from gateway.policy.limits import Measure

if TYPE_CHECKING:
    from gateway.api.runtime import Runtime

TICK_SECONDS = 0.25
TICKS_OF_A_ROUND = 4
LAG_SECONDS = 15.0
"""The worst lag is told for as long as a scraper may take to come by."""


class LoopLag:
    """How much later than asked for a sleep on this loop ended."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    async def tick(self) -> None:
        began = time.monotonic()
        await asyncio.sleep(TICK_SECONDS)
        now = time.monotonic()
        self.note(now, now - began - TICK_SECONDS)

    def note(self, now: float, late: float) -> None:
        while self._seen and (self._seen[0][0] < now - LAG_SECONDS):
            self._seen.popleft()
        while self._seen and self._seen[-1][1] <= late:
            self._seen.pop()
        self._seen.append((now, late))

    def worst(self) -> float:
        return max(0.0, self._seen[0][1]) if self._seen else 0.0


class WebGauges:
    """Collected on the event loop once a second and told by a thread: nothing here is asked while a request runs."""

    def __init__(self, runtime: Runtime, tallies: LiveTallies) -> None:
        self._runtime = runtime
        self._lag = LoopLag()
        self._process = psutil.Process()
        self._latest: list[Gauge] | None = None
        self.teller = GaugeTeller("web", self._take, lambda: tallies.write(self.teller.host), tallies.written)

    def start(self) -> None:
        self.teller.start()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for _ in range(TICKS_OF_A_ROUND):
                await self._lag.tick()
            self._latest = self.collect()

    def _take(self, process: str, host: str) -> list[Gauge] | None:
        latest, self._latest = self._latest, None
        return latest

    def collect(self) -> list[Gauge]:
        """On the event loop."""
        described = self._runtime.fleet.describe()
        return [
            *self._of_process(),
            *queue_gauges(described),
            *breaker_gauges(described),
            *self._credential_gauges(described),
            *self._provider_gauges(),
            *self._limit_gauges(),
        ]

    def _of_process(self) -> Iterator[Gauge]:
        runtime = self._runtime
        yield Gauge("requests_in_flight", runtime.in_flight)
        yield Gauge("uploads_in_flight", len(runtime.uploads))
        numbers = {
            "draining": runtime.draining,
            "event_loop_lag_seconds": round(self._lag.worst(), 6),
            "process_resident_memory_bytes": self._process.memory_info().rss,
            "process_open_connections": len(runtime.descriptors.connections),
            "process_uptime_seconds": round(time.monotonic() - runtime.began, 3),
            "recorder_backlog_bytes": runtime.recorder.backlog(),
            "recorder_keeps_history": runtime.keeps_history,
            "configuration_read": runtime.configuration.problem is None,
        }
        for name, value in numbers.items():
            yield Gauge(name, value + 0, {"process": self.teller.process})

    def _credential_gauges(self, described: dict[str, Any]) -> Iterator[Gauge]:
        known = {(one["provider"], one["name"]): one for one in described["credentials"]}
        now = self._runtime.fleet.now()
        for provider in self._runtime.present_providers():
            for entry in provider.credentials:
                one = known.get((provider.name, entry.name), {})
                labels = {"provider": provider.name, "credential": entry.name}
                state = "blocked" if entry.blocked_until > now else credential_state(one)
                yield Gauge("credential_health", 1, labels | {"state": state})
                yield Gauge("credential_in_flight", one.get("in_flight", 0), labels)

    def _provider_gauges(self) -> Iterator[Gauge]:
        for provider in self._runtime.present_providers():
            if provider.health is not None:
                yield Gauge(
                    "provider_up", int(provider.name not in self._runtime.fleet.down), {"provider": provider.name}
                )

    def _limit_gauges(self) -> Iterator[Gauge]:
        used: dict[str, float] = {}
        bounds: dict[str, float] = {}
        for counter in self._runtime.counters.all.values():
            pool = counter.pools.get(Measure.AT_ONCE)
            if pool is not None:
                name = counter.rule.name
                used[name] = max(used.get(name, 0.0), pool.used + pool.held)
                bounds[name] = pool.capacity
        for name, bound in bounds.items():
            yield Gauge("limit_at_once_used", used[name], {"limit": name})
            yield Gauge("limit_at_once", bound, {"limit": name})


def credential_state(one: dict[str, Any]) -> str:
    if one.get("rejected"):
        return "rejected"
    return "resting" if one.get("rests_seconds") else "usable"


def queue_gauges(described: dict[str, Any]) -> Iterator[Gauge]:
    for queue in described["queues"]:
        for what in ("waiting", "running", "places", "size"):
            yield Gauge(f"queue_{what}", queue[what], {"provider": queue["provider"]})


def breaker_gauges(described: dict[str, Any]) -> Iterator[Gauge]:
    for breaker in described["breakers"]:
        labels = {"provider": breaker["provider"], "model": breaker["model"]}
        yield Gauge("breaker_state", 1, labels | {"state": breaker["state"]})
