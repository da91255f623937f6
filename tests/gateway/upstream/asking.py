"""Sends requests through a transport the way the gateway does, and reads what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from gateway.upstream.stream import WireStream
from gateway.upstream.wire import WireTransport

BODY = b'{"model":"claude-opus-5-5","stream":true,"messages":[{"role":"user","content":"hi"}]}'
TIMEOUTS = {"connect": 2.0, "write": 5.0, "headers": 5.0, "read": 5.0}


class Asker:
    """`await ask("scenario;param=1")` gives the response at its head."""

    def __init__(self, transport: WireTransport, url: str) -> None:
        self.transport = transport
        self.url = httpx.URL(url)

    async def __call__(
        self,
        scenario: str = "text",
        *,
        method: str = "POST",
        target: bytes = b"/v1/messages?beta=true",
        extra: list[tuple[bytes, bytes]] | None = None,
        body: bytes = BODY,
        **timeouts: float,
    ) -> httpx.Response:
        pairs = [(b"Host", self.url.netloc), (b"x-scenario", scenario.encode()), *(extra or [])]
        if body:
            pairs.append((b"Content-Length", str(len(body)).encode()))
        extensions: dict[str, Any] = {"target": target, "body": body, "timeout": {**TIMEOUTS, **timeouts}}
        request = httpx.Request(method, self.url, headers=pairs, stream=httpx.ByteStream(body), extensions=extensions)
        return await self.transport.handle_async_request(request)


def stream_of(response: httpx.Response) -> WireStream:
    assert isinstance(response.stream, WireStream)
    return response.stream


async def chunks_of(response: httpx.Response) -> list[bytes]:
    return [chunk async for chunk in stream_of(response)]


async def body_of(response: httpx.Response) -> bytes:
    return b"".join(await chunks_of(response))


async def broken_body(response: httpx.Response) -> tuple[bytes, Exception]:
    """What came before the failure, and the failure. Fails the test when the body ends cleanly."""
    parts: list[bytes] = []
    try:
        async for chunk in stream_of(response):
            parts.append(chunk)
    except httpx.TransportError as failure:
        return b"".join(parts), failure
    raise AssertionError(f"a clean end after {b''.join(parts)!r}")


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
