"""Active health checks: a provider that does not answer is down after so many looks, and up again after one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.dialects.names import ProviderDialect
from gateway.policy.snapshot import HealthRules, ProviderEntry
from gateway.upstream import health_checks
from gateway.upstream.client import UpstreamClient
from gateway.upstream.fleet import Fleet
from gateway.upstream.health_checks import HealthChecks
from tests.gateway.upstream.asking import until
from tests.upstream import FakeProvider

RULES = HealthRules("/v1/models", interval=0.05, timeout=5.0, failures=2)


def entry(provider: FakeProvider, scenario: str) -> ProviderEntry:
    headers = ((b"x-scenario", scenario.encode()),)
    return ProviderEntry(
        "checked", ProviderDialect.ANTHROPIC, provider.url, "sk-ant-its-own", extra_headers=headers, health=RULES
    )


async def test_a_provider_goes_down_and_comes_up(provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_checks, "LOOK_SECONDS", 0.02)
    fleet, client, present = Fleet(), UpstreamClient(), [entry(provider, "error_503")]
    running = asyncio.create_task(HealthChecks(fleet, client, lambda: present).run())
    try:
        await until(lambda: "checked" in fleet.down)
        assert "status 503" in fleet.down["checked"]
        assert len(provider.requests) >= RULES.failures
        asked = provider.requests[0]
        assert (asked.method, asked.target) == ("GET", b"/v1/models")
        assert asked.header("x-api-key") == b"sk-ant-its-own"
        present[:] = [entry(provider, "error_401")]
        await until(lambda: not fleet.down)
        present[:] = [entry(provider, "error_500")]
        await until(lambda: fleet.down)
        present[:] = [replace(present[0], health=None)]
        await until(lambda: not fleet.down)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.aclose()
