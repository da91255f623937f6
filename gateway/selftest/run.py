"""The self-test: every scenario asked of the built-in provider directly, and through the running gateway."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from time import monotonic

from gateway.policy.errands import SELFTEST, Errand, seal_errand
from gateway.selftest.comparison import Result, Seen, compare
from gateway.selftest.provider import FakeProvider
from gateway.selftest.scenarios import SCENARIOS, Scenario
from gateway.upstream.client import httpx
from gateway.upstream.own_listener import own_tls

TIMEOUT_SECONDS = 30.0


class Unreachable(Exception):
    """The gateway could not be asked."""


async def run_selftest(gateway: str, key: bytes) -> AsyncIterator[Result]:
    """`gateway` is its address without a path, `key` seals errands. Raises Unreachable."""
    limits = httpx.Timeout(TIMEOUT_SECONDS)
    client = httpx.AsyncClient(timeout=limits, trust_env=False, verify=own_tls())
    async with FakeProvider() as provider, client:
        await ask(client, provider, SCENARIOS[0], f"http://127.0.0.1:{provider.port}", "")  # what starts cold
        for scenario in SCENARIOS:
            direct = await ask(client, provider, scenario, f"http://127.0.0.1:{provider.port}", "")
            errand = seal_errand(Errand(SELFTEST, port=provider.port), key, time.time())
            yield compare(scenario, direct, await ask(client, provider, scenario, gateway, errand))


async def ask(client: httpx.AsyncClient, provider: FakeProvider, scenario: Scenario, address: str, errand: str) -> Seen:
    provider.scenario, provider.asked = scenario, []
    headers = [*scenario.request_headers, *([("x-turnlog-key", errand)] if errand else [])]
    arrivals: list[tuple[float, bytes]] = []
    status, raw = 0, []
    try:
        async with client.stream("POST", address + scenario.target, content=scenario.body, headers=headers) as answer:
            status, raw = answer.status_code, answer.headers.raw
            async for data in answer.aiter_raw():
                arrivals.append((monotonic(), data))
    except httpx.TransportError as error:
        # Cut off in the middle it is a difference like any other.
        if not provider.asked:
            raise Unreachable(f"{address} cannot be reached: {error!r}") from error
    if not provider.asked:
        said = b"".join(data for _, data in arrivals)[:300].decode("utf-8", "replace")
        raise Unreachable(f"{address} did not pass the request on; it answered {status}: {said}")
    asked = provider.asked[-1]
    return Seen(status, raw, arrivals, asked.target, asked.headers, asked.body, asked.sent)


def green(results: list[Result]) -> bool:
    return bool(results) and all(result.is_same for result in results)
