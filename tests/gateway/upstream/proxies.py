"""Outbound proxies for loopback: real sockets that speak CONNECT, in clear or over TLS, or SOCKS5."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.policy.transport import ProxyEntry
from tests.gateway.upstream.certificates import server_side


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
