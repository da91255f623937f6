"""Every test here runs on both event loops; the provider is real sockets on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from gateway.upstream.wire import WireTransport
from tests.gateway.upstream.asking import Asker
from tests.upstream import FakeProvider


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def provider() -> AsyncIterator[FakeProvider]:
    async with FakeProvider() as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[WireTransport]:
    made = WireTransport()
    yield made
    await made.aclose()


@pytest.fixture
def ask(provider: FakeProvider, transport: WireTransport) -> Asker:
    return Asker(transport, provider.url)
