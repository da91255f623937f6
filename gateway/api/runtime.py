"""What the parts of one `web` process share: the recorder, the configuration, the way to the providers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings

from gateway.api.descriptors import Descriptors
from gateway.api.discovery import ModelDiscovery
from gateway.api.keeping import ELSEWHERE
from gateway.api.live_news import LiveNews
from gateway.api.memory import Memory, bounds_of
from gateway.api.scraping import Scraping
from gateway.api.web_gauges import WebGauges
from gateway.configuration.keeper import ConfigurationKeeper
from gateway.configuration.sealing import access_key_pepper, pepper
from gateway.metering.counters import Counters
from gateway.metering.metering import Metering
from gateway.metrics.live_channel import WATCH_CHANNEL
from gateway.metrics.tallies import LiveTallies
from gateway.policy.redaction import Redactor
from gateway.policy.snapshot import ProviderEntry, Snapshot
from gateway.recording.answer_store import AnswerStore, KeptAnswer
from gateway.recording.kept_responses import KeptResponses
from gateway.recording.recorder import Recorder
from gateway.upstream.addresses import reach_of
from gateway.upstream.client import Timeouts, UpstreamClient
from gateway.upstream.fleet import Fleet
from gateway.upstream.health_checks import HealthChecks
from gateway.upstream.news import FleetNews
from gateway.upstream.signatures import SharedSignatures

if TYPE_CHECKING:
    from gateway.api.request import GatewayRequest
    from gateway.api.streaming import ExchangeStream

log = logging.getLogger(__name__)

FIRST_SNAPSHOT_SECONDS = 2.0
SWEEP_SECONDS = 3600.0
COPY_NAME = "configuration.copy"
STALL_CHECKS = 4
"""How often within TURNLOG_CLIENT_WRITE_TIMEOUT the streams are looked at."""


class Runtime:
    """One for each process and event loop. `start` may be called often; it starts once."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.redactor = Redactor(pepper("redaction"))
        self.recorder = Recorder(
            environment.data_dir / "spool",
            redactor=self.redactor,
            policy=environment.capture_policy,
            max_bytes=environment.spool_max_bytes,
        )
        self.configuration = ConfigurationKeeper(environment.data_dir / COPY_NAME)
        self.upstream = UpstreamClient(
            Timeouts(
                connect=environment.connect_timeout,
                write=environment.idle_timeout,
                headers=environment.header_timeout,
                read=environment.idle_timeout,
            ),
            reach=reach_of(environment),
        )
        self.descriptors = Descriptors(self.upstream.idle_connections, self.upstream.release_idle)
        self.memory = Memory(bounds_of(environment.max_memory_bytes))
        self.discovery = ModelDiscovery(self.configuration, self.upstream, environment.model_refresh)
        self.kept_responses = KeptResponses(environment.data_dir / "responses", pepper("responses"), ELSEWHERE)
        self.fleet = Fleet()
        self.answers = AnswerStore(environment.redis_url)
        self.joining: dict[bytes, asyncio.Future[KeptAnswer | None]] = {}
        """Answers under way that others wait for, by digest."""
        self.counters = Counters()
        self.metering = Metering(self.counters, self.configuration, environment.redis_url)
        self.news = FleetNews(self.fleet, environment.redis_url)
        self.tallies = LiveTallies()
        """What is counted here and in no record."""
        self.obeyed: Snapshot | None = None
        """The snapshot that the fleet follows."""
        self.signatures = SharedSignatures(environment.redis_url)
        self.access_pepper = access_key_pepper()
        self.errand_key = pepper("errands")
        self.streams: set[ExchangeStream] = set()
        self.uploads: set[GatewayRequest] = set()
        """Requests whose body is being read."""
        self.live = LiveNews(self)
        self.configuration.listeners[WATCH_CHANNEL] = self.live.asked
        self.draining = False
        self.cutting = False
        """Running requests are being cut because the drain took too long."""
        self.began = time.monotonic()
        self.gauges = WebGauges(self, self.tallies)
        self.scraping = Scraping(self)
        self._starting: asyncio.Task[None] | None = None
        self._watching: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        self.live.start()
        self.configuration.start()
        await self.recorder.start()
        # Better a moment later than with refusals; without a database we serve all the same, and say so in /readyz.
        await asyncio.to_thread(self.configuration.wait_loaded, FIRST_SNAPSHOT_SECONDS)
        self.news.start()
        self.gauges.start()
        checks = HealthChecks(self.fleet, self.upstream, self.present_providers)
        chores = (
            self._watch_stalls(), self.discovery.run(), self._sweep_responses(), checks.run(), self.news.tell_states(),
            self.metering.run(), self.gauges.run(), self.signatures.run(),
        )  # fmt: skip
        self._watching = [asyncio.create_task(chore) for chore in chores]

    def obey(self, snapshot: Snapshot) -> None:
        """The fleet follows a new snapshot; on the event loop."""
        self.obeyed = snapshot
        self.fleet.obey(snapshot)

    def present_providers(self) -> list[ProviderEntry]:
        snapshot = self.configuration.current
        return list(snapshot.providers.values()) if snapshot is not None else []

    async def stop(self) -> None:
        for task in self._watching:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.live.stop()
        await asyncio.to_thread(self.news.stop)
        await asyncio.to_thread(self.gauges.teller.stop)
        await self.upstream.aclose()
        await self.recorder.stop()
        await asyncio.to_thread(self.configuration.stop)

    def set_draining(self, draining: bool) -> None:
        self.draining = draining
        self.recorder.set_draining(draining)

    @property
    def in_flight(self) -> int:
        return self.recorder.in_flight

    @property
    def keeps_history(self) -> bool:
        return self.recorder.ready()

    async def _sweep_responses(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.kept_responses.sweep, datetime.now(UTC))
            except Exception:
                log.exception("old responses could not be removed")
            await asyncio.sleep(SWEEP_SECONDS)

    async def _watch_stalls(self) -> None:
        """End requests whose client has taken, or sent, nothing for too long. One look at all, not a timer for each."""
        limit = self.environment.client_write_timeout
        while True:
            await asyncio.sleep(min(1.0, limit / STALL_CHECKS))
            self.memory.tidy()
            now = time.monotonic()
            for stream in [s for s in self.streams if s.sending_since and now - s.sending_since >= limit]:
                stream.request.end_stalled()
            for request in [request for request in self.uploads if now - request.waiting_since >= limit]:
                request.end_stalled()


_runtime: Runtime | None = None


def process_runtime() -> Runtime:
    """This process's runtime, made when it is first asked for."""
    global _runtime
    if _runtime is None:
        _runtime = Runtime(settings.TURNLOG)
    return _runtime
