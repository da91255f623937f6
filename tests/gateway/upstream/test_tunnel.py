"""Proxies reached by TLS: the provider's TLS within theirs, and what is said when there is no way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway.policy.reach import Reach
from gateway.policy.transport import TransportSettings
from gateway.upstream.failures import ConnectTimedOut, Unreachable
from gateway.upstream.http2 import Http2Transport
from gateway.upstream.transports import build_transport
from tests.gateway.upstream.asking import Asker, body_of
from tests.gateway.upstream.certificates import make_certificate, server_side
from tests.gateway.upstream.proxies import entry, running
from tests.upstream import FakeProvider
from tests.upstream.http2 import EVENTS, Http2Provider, OneByOne

PATIENCE = 20.0
"""Seconds; two handshakes on a busy machine."""


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
def proxy_pem(tmp_path: Path) -> Path:
    return make_certificate(tmp_path, file="proxy.pem")


def through(port: int, proxy_pem: Path | None, pem: Path, *, http2: bool = False) -> httpx.AsyncBaseTransport:
    proxy = entry("https", port, ca_file=str(proxy_pem or ""))
    return build_transport(Reach(), TransportSettings(proxies=(proxy,), ca_file=str(pem), http2=http2))


async def test_what_goes_through_tls_within_tls_is_what_was_sent_and_the_connection_is_used_again(
    pem: Path, proxy_pem: Path
) -> None:
    async with FakeProvider(tls=server_side(pem)) as provider, running("https", pem=proxy_pem) as proxy:
        transport = through(proxy.port, proxy_pem, pem)
        ask = Asker(transport, provider.url)
        for scenario in ("text", "split_every;n=5", "big_line;mb=2", "gzip"):
            body = await body_of(await ask(scenario, connect=PATIENCE))
            await provider.answered(len(provider.requests))
            assert body == provider.responses[-1].body
        sent = bytes(range(256)) * 4096
        await body_of(await ask("echo", body=sent, connect=PATIENCE))
        assert provider.requests[-1].body == sent
        assert (provider.connection_count, len(proxy.asked)) == (1, 1)
        await transport.aclose()
        await provider.until(lambda: provider.open_connections == 0)


async def test_a_provider_that_speaks_first_is_heard(pem: Path, proxy_pem: Path) -> None:
    async with Http2Provider(server_side(pem)) as provider, running("https", pem=proxy_pem) as proxy:
        transport = through(proxy.port, proxy_pem, pem, http2=True)
        assert isinstance(transport, Http2Transport)
        for _ in range(3):
            response = await Asker(transport, provider.url)(connect=PATIENCE)
            assert response.extensions["http_version"] == b"HTTP/2"
            assert await body_of(response) == b"".join(EVENTS)
        assert len(proxy.asked) == 1
        await transport.aclose()


async def test_events_come_one_by_one(pem: Path, proxy_pem: Path) -> None:
    async with Http2Provider(server_side(pem)) as provider, running("https", pem=proxy_pem) as proxy:
        script = provider.script = OneByOne()
        transport = through(proxy.port, proxy_pem, pem, http2=True)
        seen = []
        async for chunk in (await Asker(transport, provider.url)(connect=PATIENCE)).stream:  # type: ignore[union-attr]
            seen.append(chunk)
            script.taken.set()
        assert seen == EVENTS
        await transport.aclose()


async def test_the_proxys_certificate_is_checked_and_then_the_providers(pem: Path, proxy_pem: Path) -> None:
    async with FakeProvider(tls=server_side(pem)) as provider, running("https", pem=proxy_pem) as proxy:
        for proxy_file, file, reason in ((None, pem, "the proxy https"), (proxy_pem, proxy_pem, "TLS: self-signed")):
            transport = through(proxy.port, proxy_file, file)
            with pytest.raises(Unreachable) as caught:
                await Asker(transport, provider.url)(connect=PATIENCE)
            assert reason in caught.value.reason
            assert "self-signed certificate" in caught.value.reason
            await transport.aclose()
        assert not provider.requests


class Answering:
    """A proxy that says this to whatever it is asked, and then closes; without anything to say it waits."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.port = 0
        self.asked = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked.set()
            for piece in self.pieces:
                writer.write(piece)
                await writer.drain()
            if not self.pieces:
                await reader.read()
                self.left.set()
        except OSError:
            self.left.set()
        finally:
            writer.close()


@asynccontextmanager
async def answering(pem: Path, *pieces: bytes) -> AsyncIterator[Answering]:
    proxy = Answering(*pieces)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=server_side(pem))
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()


ANSWERS = {
    "it wants another user": ([b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"], "407 Proxy Authentication Req"),
    "it may not": (
        [b"HTTP/1.1 403 Forbidden\r\n", b"content-length: 0\r\n\r\n"],
        "answered CONNECT with 403 Forbidden",
    ),
    "in single bytes": ([bytes([each]) for each in b"HTTP/1.1 502 No\r\n\r\n"], "answered CONNECT with 502 No"),
    "it is no proxy": ([b"SSH-2.0-OpenSSH_9.6\r\n"], "its answer to CONNECT is no HTTP"),
    "its head has no end": ([b"HTTP/1.1 200 OK\r\n", b"x-long: " + b"a" * 70_000], "has no end within 65536 bytes"),
    "it closes": ([b""], "closed before it answered CONNECT"),
    "it opens the way and closes": ([b"HTTP/1.1 200 OK\r\n\r\n"], "connection reset while connecting"),
}


@pytest.mark.parametrize(("pieces", "reason"), ANSWERS.values(), ids=ANSWERS)
async def test_a_proxy_that_opens_no_way_says_why(pieces: list[bytes], reason: str, pem: Path) -> None:
    async with answering(pem, *pieces) as proxy:
        transport = through(proxy.port, pem, pem)
        with pytest.raises(Unreachable) as caught:
            await Asker(transport, "https://127.0.0.1:9")(connect=PATIENCE)
        assert caught.value.phase == "connect"
        assert reason in caught.value.reason
        await transport.aclose()


async def test_a_proxy_that_says_nothing_is_waited_for_as_long_as_connecting_may_take(pem: Path) -> None:
    async with answering(pem) as proxy:
        transport = through(proxy.port, pem, pem)
        with pytest.raises(ConnectTimedOut):
            await Asker(transport, "https://127.0.0.1:9")(connect=0.3)
        await transport.aclose()


async def test_who_leaves_while_the_way_is_opened_leaves_no_connection_behind(pem: Path) -> None:
    async with answering(pem) as proxy:
        transport = through(proxy.port, pem, pem)
        asking = asyncio.create_task(Asker(transport, "https://127.0.0.1:9")(connect=PATIENCE))
        await proxy.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(proxy.left.wait(), 10)
        await transport.aclose()
