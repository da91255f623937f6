"""The seam to the provider: httpx's interface over a transport of our own.

This is the one module of the gateway that imports httpx; the others take the name from here, so a maintained successor
is one line away. `AsyncClient` is not used: it costs ten times what the transport does (docs/decisions/0002).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import httpx as httpx

from gateway.policy.reach import Reach
from gateway.policy.transport import TransportSettings

SPECIAL_BOUND = 256
HeaderPairs = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` covers name, TCP and TLS; `write`, `read` are idle times; `headers` ends at the final head."""

    connect: float = 10.0
    write: float = 300.0
    headers: float = 600.0
    read: float = 300.0

    def as_extension(self) -> dict[str, float]:
        return {"connect": self.connect, "write": self.write, "headers": self.headers, "read": self.read}


class WireHeaders(httpx.Headers):
    """Header pairs as they are on the wire. httpx's own copies and folds each at once; here they are read as they are
    (`raw`), and folded only for who asks by name."""

    def __init__(self, pairs: HeaderPairs) -> None:
        self.pairs = pairs
        self._encoding = None

    @property
    def raw(self) -> HeaderPairs:
        return self.pairs

    @cached_property
    def _list(self) -> list[tuple[bytes, bytes, bytes]]:  # type: ignore[override]
        return [(name, name.lower(), value) for name, value in self.pairs]


class Special(NamedTuple):
    """What a provider with settings of its own is spoken to by."""

    transport: httpx.AsyncBaseTransport
    timeout: dict[str, float]


class UpstreamClient:
    """Sends requests to providers by one transport, which is built when first needed and again for another event loop.

    `build_transport` makes the transport; by default the one of `wire.py`, with connections only within `reach`.
    """

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        build_transport: Callable[[], httpx.AsyncBaseTransport] | None = None,
        reach: Reach | None = None,
    ) -> None:
        self._timeout = (timeouts or Timeouts()).as_extension()
        self._build = build_transport or (lambda: _build_transport(self._reach))
        self._transport: httpx.AsyncBaseTransport | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reach = reach or Reach()
        self._special: dict[TransportSettings, Special] = {}
        self._addresses: dict[str, tuple[httpx.URL, bytes]] = {}

    async def send(
        self,
        method: str,
        address: str,
        target: bytes,
        headers: HeaderPairs,
        body: bytes | None,
        settings: TransportSettings | None = None,
    ) -> httpx.Response:
        """Send a request and return when the final head has come; `response.stream` gives the undecoded body.

        `settings`: how this provider is to be spoken to where that differs from the default.
        `address` is the provider's origin and path prefix ("https://host/prefix"), `target` the raw path and query to
        put after the prefix, `headers` exactly the pairs to send, `Host` and `Content-Length` among them. Whoever gets
        the response must read its stream to the end or call `abort()` or `aclose()` on it.

        Raises `failures.UpstreamFailure` (each also one of httpx's exceptions); later the stream does.
        """
        known = self._addresses.get(address)
        if known is None:
            known = self._addresses[address] = split_address(address)
        url, prefix = known
        timeout = self._timeout
        transport = self._transport
        if transport is None or self._loop is not asyncio.get_running_loop():
            transport = self._rebuild()
        if settings is not None:
            transport, timeout = self._special.get(settings) or self._add_special(settings)
        extensions = {"target": prefix + target, "timeout": timeout, "body": body or b""}
        request = httpx.Request(method, url, stream=httpx.ByteStream(body or b""), extensions=extensions)
        request.headers = WireHeaders(headers)
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every idle connection. Answers still being read keep theirs."""
        transport, self._transport = self._transport, None
        if transport is not None and self._loop is asyncio.get_running_loop():
            await transport.aclose()
            for special in self._special.values():
                await special.transport.aclose()
        self._special.clear()

    def idle_connections(self) -> int:
        """How many connections are kept that nobody uses."""
        return sum(getattr(transport, "idle_connections", 0) for transport in self._all())

    def release_idle(self) -> None:
        """Close them: their descriptors are needed."""
        for transport in self._all():
            release = getattr(transport, "release_idle", None)
            if release is not None:
                release()

    def _all(self) -> list[httpx.AsyncBaseTransport]:
        plain = [self._transport] if self._transport is not None else []
        return plain + [special.transport for special in self._special.values()]

    def _add_special(self, settings: TransportSettings) -> Special:
        """Settings that changed leave their transport behind: its idle connections end by themselves."""
        if len(self._special) >= SPECIAL_BOUND:
            self._special.pop(next(iter(self._special)))
        added = self._special[settings] = Special(_build_transport(self._reach, settings), self._timeouts_of(settings))
        return added

    def _timeouts_of(self, settings: TransportSettings) -> dict[str, float]:
        idle = settings.idle_timeout
        given = {"connect": settings.connect_timeout, "headers": settings.header_timeout, "read": idle, "write": idle}
        return self._timeout | {name: seconds for name, seconds in given.items() if seconds is not None}

    def _rebuild(self) -> httpx.AsyncBaseTransport:
        self._special.clear()
        self._transport = self._build()
        self._loop = asyncio.get_running_loop()
        return self._transport


def split_address(address: str) -> tuple[httpx.URL, bytes]:
    """(URL of the origin, path prefix without its last slash). Raises ValueError for anything but http and https."""
    url = httpx.URL(address)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"not the address of a provider: {address!r}")
    return url.copy_with(raw_path=b"/"), url.raw_path.partition(b"?")[0].rstrip(b"/")


def _build_transport(reach: Reach, settings: TransportSettings | None = None) -> httpx.AsyncBaseTransport:
    # Imported here because they take httpx's names from this module.
    from gateway.upstream.transports import build_transport

    return build_transport(reach, settings)
