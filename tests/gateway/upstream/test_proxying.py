"""Outbound proxies: what a provider behind one sees, who is asked for a password, and what happens when one fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.policy.transport import ProxyChoice, ProxyEntry, TransportSettings
from gateway.upstream.client import UpstreamClient
from gateway.upstream.failures import Unreachable
from tests.conftest import free_port
from tests.gateway.upstream.certificates import make_certificate
from tests.gateway.upstream.proxies import entry, running
from tests.upstream import FakeProvider

KINDS = ["http", "https", "socks5"]


async def status(
    provider: FakeProvider, *entries: ProxyEntry, choice: ProxyChoice = ProxyChoice.IN_ORDER, times: int = 1
) -> int:
    client = UpstreamClient()
    settings = TransportSettings(proxies=entries, proxy_choice=choice, pool_life_seconds=-1.0)
    headers = [(b"host", b"provider"), (b"connection", b"close")]
    try:
        for _ in range(times):
            response = await client.send("GET", provider.url, b"/v1/models", headers, None, settings)
            async for _ in response.stream:  # type: ignore[union-attr]
                pass
        return response.status_code
    finally:
        await client.aclose()


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("password", ["", "secret"])
async def test_a_provider_is_reached_through_a_proxy(kind: str, password: str, pem: Path) -> None:
    async with FakeProvider() as provider, running(kind, password, pem) as proxy:
        assert await status(provider, entry(kind, proxy.port, password, ca_file=str(pem))) == 200
        assert proxy.asked == [provider.url.removeprefix("http://")]
        assert not [name for name, _ in provider.requests[0].headers if name.lower().startswith(b"proxy")]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_password_is_a_provider_that_cannot_be_reached(kind: str, pem: Path) -> None:
    async with FakeProvider() as provider, running(kind, "secret", pem) as proxy:
        with pytest.raises(Unreachable, match="the proxy"):
            await status(provider, entry(kind, proxy.port, "wrong", ca_file=str(pem)))
        assert not provider.requests


async def test_the_next_proxy_is_taken_when_one_is_dead() -> None:
    async with FakeProvider() as provider, running("http") as proxy:
        assert await status(provider, entry("socks5", free_port()), entry("http", proxy.port)) == 200
        assert len(proxy.asked) == 1


async def test_proxies_take_turns() -> None:
    async with FakeProvider() as provider, running("http") as one, running("socks5") as two:
        entries = (entry("http", one.port), entry("socks5", two.port))
        assert await status(provider, *entries, choice=ProxyChoice.IN_TURN, times=4) == 200
        assert (len(one.asked), len(two.asked)) == (2, 2)


async def test_a_host_that_is_left_out_is_called_directly() -> None:
    async with FakeProvider() as provider:
        assert await status(provider, entry("http", free_port(), bypass=("127.0.0.1",))) == 200


BYPASSED = {"api.internal": False, "internal": False, "internal.example": True, "API.INTERNAL": False}


@pytest.mark.parametrize(("host", "carried"), BYPASSED.items())
def test_a_leading_dot_stands_for_all_below(host: str, carried: bool) -> None:
    assert entry("http", 1, bypass=(".internal",)).carries(host) is carried
