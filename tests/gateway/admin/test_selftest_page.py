"""The page of the self-test. What it finds through a running gateway is tested in `tests/e2e/test_errands.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gateway.selftest.comparison import Seen, compare
from gateway.selftest.provider import FakeProvider
from gateway.selftest.run import ask
from gateway.selftest.scenarios import SCENARIOS
from gateway.upstream.client import httpx

PAGE = "/admin/gateway/capability/selftest/"


@pytest.mark.django_db
def test_the_page_asks_before_it_sends_anything_and_says_when_no_gateway_answers() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    assert "Test now" in client.get(PAGE).content.decode()
    assert "cannot be reached" in client.post(PAGE).content.decode()


@pytest.mark.django_db
def test_only_a_superuser_may_test() -> None:
    client = Client()
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get(PAGE).status_code == 403


@pytest.fixture(scope="module")
def seen() -> Seen:
    """The first scenario, asked directly."""

    async def once() -> Seen:
        async with FakeProvider() as provider, httpx.AsyncClient(trust_env=False) as client:
            return await ask(client, provider, SCENARIOS[0], f"http://127.0.0.1:{provider.port}", "")

    return asyncio.run(once())


def without(arrivals: Sequence[tuple[float, bytes]], text: bytes) -> list[tuple[float, bytes]]:
    return [(at, data) for at, data in arrivals if text not in data]


def test_an_exchange_is_the_same_as_itself(seen: Seen) -> None:
    assert compare(SCENARIOS[0], seen, seen).is_same


@pytest.mark.parametrize("about", ["request", "status", "headers", "bytes", "pings", "timing"])
def test_every_kind_of_change_is_found(seen: Seen, about: str) -> None:
    late = [(at + 0.5, data) for at, data in seen.arrivals]
    changed = {
        "request": replace(seen, asked_body=seen.asked_body.replace(b"hi", b"Hi")),
        "status": replace(seen, status=500),
        "headers": replace(seen, headers=[pair for pair in seen.headers if pair[0] != b"request-id"]),
        "bytes": replace(seen, arrivals=[*seen.arrivals[:-1], (seen.arrivals[-1][0], b"!")]),
        "pings": replace(seen, arrivals=without(seen.arrivals, b"event: ping")),
        "timing": replace(seen, arrivals=late),
    }[about]
    result = compare(SCENARIOS[0], seen, changed)
    assert result.differences[about]
    assert not result.is_same


def test_pieces_that_are_held_back_and_sent_together_are_found(seen: Seen) -> None:
    together = replace(seen, arrivals=[(seen.arrivals[-1][0], seen.body)])
    result = compare(SCENARIOS[0], seen, together)
    assert not result.differences["bytes"]
    assert any("came in 1" in difference for difference in result.differences["timing"])
