"""Outbound proxies: what a provider behind one sees, who is asked for a password, and what happens when one fails."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.policy.transport import ProxyChoice, ProxyEntry, TransportSettings
from gateway.upstream.client import UpstreamClient
from gateway.upstream.failures import Unreachable
from tests.conftest import free_port
from tests.gateway.upstream.certificates import make_certificate, server_side
from tests.upstream import FakeProvider

KINDS = ["http", "https", "socks5"]


class Proxy:
    """Speaks CONNECT, in clear or over TLS, or SOCKS5; with a user and a password. `asked` is where it was to go."""

    def __init__(self, kind: str, password: str = "") -> None:
        self.kind = kind
        self.password = password
        self.asked: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            host, port = await (self.socks(reader, writer) if self.kind == "socks5" else self.connect(reader, writer))
            self.asked.append(f"{host}:{port}")
            there, back = await asyncio.open_connection(host, port)
        except (ValueError, OSError, asyncio.IncompleteReadError):
            writer.close()
            return
        writer.write(b"\5\0\0\1\0\0\0\0\0\0" if self.kind == "socks5" else b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        wanted = base64.b64encode(f"ada:{self.password}".encode()).decode()
        if self.password and wanted not in head:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            raise ValueError
        host, _, port = head.split(" ")[1].partition(":")
        return host, int(port)

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        writer.write(b"\5\2" if self.password else b"\5\0")
        if self.password:
            _, size = await reader.readexactly(2)
            await reader.readexactly(size)
            given = await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(b"\1\0" if given.decode() == self.password else b"\1\1")
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = ".".join(str(part) for part in await reader.readexactly(4))
        return host, int.from_bytes(await reader.readexactly(2), "big")


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def running(kind: str, password: str = "", pem: Path | None = None) -> AsyncIterator[Proxy]:
    proxy = Proxy(kind, password)
    tls = server_side(pem) if kind == "https" and pem is not None else None
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, ssl=tls)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()


def entry(kind: str, port: int, password: str = "", **more: object) -> ProxyEntry:
    address = f"{kind}://127.0.0.1:{port}"
    return ProxyEntry(f"{kind}-{port}", address, "ada" if password else "", password, **more)  # type: ignore[arg-type]


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
