"""The seam the edge uses, and the table that tells it what a failure means."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from gateway.dialects.names import Outcome
from gateway.upstream import failures
from gateway.upstream.client import Timeouts, UpstreamClient, split_address
from gateway.upstream.errors import FAULTS, describe, fault_of
from gateway.upstream.failures import HeadersTimedOut, Unreachable, UpstreamFailure
from tests.gateway.upstream.asking import body_of
from tests.upstream import FakeProvider


@pytest.mark.parametrize(
    ("prefix", "seen"),
    [
        pytest.param("", b"/v1/messages?beta=true", id="no prefix"),
        pytest.param("/", b"/v1/messages?beta=true", id="a slash alone"),
        pytest.param("/anthropic", b"/anthropic/v1/messages?beta=true", id="a prefix"),
        pytest.param("/a%20b/c/", b"/a%20b/c/v1/messages?beta=true", id="an escaped prefix with a slash at its end"),
    ],
)
async def test_the_prefix_of_the_address_stands_before_the_target(
    provider: FakeProvider, prefix: str, seen: bytes
) -> None:
    client = UpstreamClient()
    pairs = [(b"Host", b"api.example"), (b"Content-Length", b"2")]
    response = await client.send("POST", provider.url + prefix, b"/v1/messages?beta=true", pairs, b"{}")
    await body_of(response)
    assert provider.requests[0].target == seen
    assert provider.requests[0].headers == pairs
    await client.aclose()


def test_one_client_serves_one_event_loop_after_another() -> None:
    client = UpstreamClient()

    async def run() -> int:
        async with FakeProvider() as provider:
            for _ in range(2):
                response = await client.send("GET", provider.url, b"/v1/models", [(b"Host", b"x")], None)
                assert b"gpt" in await body_of(response)
            await client.aclose()
            return provider.connection_count

    assert [asyncio.run(run()), asyncio.run(run())] == [1, 1]


async def test_its_timeouts_are_those_it_was_made_with(provider: FakeProvider) -> None:
    client = UpstreamClient(Timeouts(headers=0.2))
    with pytest.raises(HeadersTimedOut, match=r"no answer for 0\.2 s"):
        await client.send("GET", provider.url, b"/v1/models", [(b"x-scenario", b"no_headers")], None)
    await client.aclose()


async def test_another_transport_of_httpx_can_take_its_place(provider: FakeProvider) -> None:
    client = UpstreamClient(build_transport=httpx.AsyncHTTPTransport)
    pairs = [(b"Host", b"x"), (b"Content-Length", b"2")]
    response = await client.send("POST", provider.url + "/p", b"/v1/odd?a=%2F", pairs, b"{}")
    assert response.status_code == 404
    await response.aread()
    await response.aclose()
    assert provider.requests[0].target == b"/p/v1/odd?a=%2F"
    await client.aclose()


@pytest.mark.parametrize("address", ["ftp://host", "host:80", "/path", "https://", ""])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="not the address of a provider"):
        split_address(address)


def concrete_failures() -> set[type[UpstreamFailure]]:
    return {
        value
        for value in vars(failures).values()
        if isinstance(value, type) and issubclass(value, UpstreamFailure) and value is not UpstreamFailure
    }


def test_every_failure_has_a_line_in_the_table_and_is_one_of_httpxs() -> None:
    assert set(FAULTS) == concrete_failures()
    assert all(issubclass(kind, httpx.TransportError) for kind in FAULTS)


@pytest.mark.parametrize("kind", sorted(FAULTS, key=lambda kind: kind.__name__))
def test_a_silent_provider_is_504_and_an_unreachable_or_broken_one_502(kind: type[UpstreamFailure]) -> None:
    fault = fault_of(kind("why", "headers"))
    if issubclass(kind, httpx.TimeoutException) and not issubclass(kind, httpx.ConnectTimeout):
        assert fault == (504, "timeout_error", Outcome.UPSTREAM_STALLED)
    elif not issubclass(kind, httpx.LocalProtocolError):
        assert fault == (502, "api_error", Outcome.UPSTREAM_ABORTED)


def test_a_failure_is_told_with_provider_phase_cause_and_seconds() -> None:
    text = describe(Unreachable("connection refused", "connect"), "anthropic", 0.04)
    assert text == "anthropic failed while connecting after 0.0 s: connection refused."
