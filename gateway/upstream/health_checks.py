"""Asks providers now and then whether they are there, and tells the fleet which are not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from gateway.policy.snapshot import ProviderEntry
from gateway.upstream.client import UpstreamClient
from gateway.upstream.fleet import Fleet
from gateway.upstream.probe import probe

LOOK_SECONDS = 0.5

log = structlog.get_logger(__name__)


class HealthChecks:
    """`providers` gives those of the configuration in force."""

    def __init__(self, fleet: Fleet, client: UpstreamClient, providers: Callable[[], Iterable[ProviderEntry]]) -> None:
        self._fleet = fleet
        self._client = client
        self._providers = providers
        self._next: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled. Each provider is asked by itself: one that does not answer delays no other."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self._forget_others()
                for provider in self._providers():
                    if provider.health is not None and self._is_due(provider, loop.time()):
                        self._asking[provider.name] = asyncio.create_task(self._ask(provider))
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            for task in self._asking.values():
                task.cancel()

    def _is_due(self, provider: ProviderEntry, now: float) -> bool:
        assert provider.health is not None
        running = self._asking.get(provider.name)
        if now < self._next.get(provider.name, 0.0) or (running is not None and not running.done()):
            return False
        self._next[provider.name] = now + provider.health.interval
        return True

    def _forget_others(self) -> None:
        checked = {provider.name for provider in self._providers() if provider.health is not None}
        for name in [name for name in self._fleet.down if name not in checked]:
            del self._fleet.down[name]

    async def _ask(self, provider: ProviderEntry) -> None:
        rules = provider.health
        assert rules is not None
        found = await probe(self._client, provider, provider.credential, rules.path, rules.timeout)
        # A 4xx is an answer: whether the credential is good is not the question here.
        if found.status is not None and found.status < 500:
            self._failures[provider.name] = 0
            if self._fleet.down.pop(provider.name, None) is not None:
                log.warning("provider is up", provider=provider.name)
            return
        failures = self._failures[provider.name] = self._failures.get(provider.name, 0) + 1
        if failures >= rules.failures:
            if provider.name not in self._fleet.down:
                log.warning("provider is down", provider=provider.name, reason=found.text)
            self._fleet.down[provider.name] = found.text
