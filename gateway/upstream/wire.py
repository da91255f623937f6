"""Our transport to the providers: httpx's interface, asyncio protocols beneath, nothing between a read and its reader.

What happens to a request here:

    handle_async_request ── idle connection of the origin? ──yes──▶ Connection.start ──▶ head ──▶ Response(stream)
                                    │ no                                  ▲
                                    └──▶ dial (DNS, TCP, TLS; one timeout) ┘

The state machine of a connection stands at the top of `connection.py`, the racing of addresses in `dialling.py`, what
can go wrong in `failures.py`. Nothing is added to or removed from the request: method, target, header pairs and body
leave as they were given; nothing is decoded in the answer but the chunk framing. Redirects, cookies, proxies and a
limit on connections are not here, and retries only one: a request that met an idle connection in the moment of its
closing, of which the provider's machine acknowledged no byte, is sent on a new one.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from gateway.policy.reach import Reach
from gateway.upstream.client import HeaderPairs, WireHeaders, httpx
from gateway.upstream.connection import Connection
from gateway.upstream.dialling import ANYWHERE, SHUTDOWN_SECONDS, default_tls, open_socket
from gateway.upstream.failures import ConnectTimedOut, Unreachable, UnsendableRequest, UpstreamFailure, connect_reason
from gateway.upstream.pool import IDLE_SECONDS, Pool
from gateway.upstream.proxying import Proxies
from gateway.upstream.stream import Head, Source
from gateway.upstream.tunnel import Tunnel

Origin = tuple[str, str, int]
"""(scheme, host, port)"""
DEFAULT_PORTS = {"http": 80, "https": 443}
Connected = TypeVar("Connected")
Protocol = TypeVar("Protocol", bound=asyncio.BaseProtocol)


class WireTiming(NamedTuple):
    """In `response.extensions["wire"]`."""

    connected_us: int | None
    """Microseconds that DNS, TCP and TLS took; None on a connection that was already there."""
    reused: bool


class WireTransport(httpx.AsyncBaseTransport):
    """Belongs to the event loop it is first used on. `idle_seconds`: how long an unused connection is kept.

    Request extensions: `target` (bytes; instead of the URL's path), `body` (bytes; instead of `request.stream`),
    `timeout` (seconds by name: connect, write, headers, read; a missing or None one waits for ever).
    """

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        idle_seconds: float = IDLE_SECONDS,
        reach: Reach = ANYWHERE,
        make_tls: Callable[[], ssl.SSLContext] = default_tls,
        life_seconds: float | None = None,
        size: int | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self._tls = tls
        self._make_tls = make_tls
        self._reach = reach
        self._pool = Pool(idle_seconds, life_seconds)
        self._proxies = proxies
        self._places = asyncio.Semaphore(size) if size else None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        origin = (url.scheme, url.host, url.port or DEFAULT_PORTS[url.scheme])
        extensions = request.extensions
        timeouts = extensions.get("timeout") or {}
        body = extensions.get("body")
        pairs = request.headers.raw
        if body is None:
            body = await read_body(request, pairs)
        head = request_head(request.method, extensions.get("target") or url.raw_path, pairs)
        connection, timing = await self._reach_out(origin, timeouts.get("connect"), fresh=False)
        try:
            answer = await wait_for_head(connection, connection.start(request.method, head, body, timeouts))
        except UpstreamFailure as failure:
            if not failure.unseen:
                raise
            # An idle connection that the provider was closing at that moment. This is the first time it is asked.
            connection, timing = await self._reach_out(origin, timeouts.get("connect"), fresh=True)
            answer = await wait_for_head(connection, connection.start(request.method, head, body, timeouts))
        return response_of(answer, timing)

    async def aclose(self) -> None:
        self._pool.close()

    @property
    def idle_connections(self) -> int:
        return len(self._pool)

    def release_idle(self) -> None:
        self._pool.release()

    async def _reach_out(self, origin: Origin, seconds: float | None, *, fresh: bool) -> tuple[Connection, WireTiming]:
        """A connection to send a request on, an idle one where there is one and it will do."""
        if self._places is not None:
            await self._take_place(origin, seconds)
        connection = None if fresh else self._pool.take(origin)
        timing = WireTiming(None, True)
        if connection is None:
            connection, timing = await self._dial(origin, seconds)
        if self._places is not None:
            self._pool.placed(connection, self._places.release)
        return connection, timing

    async def _take_place(self, origin: Origin, seconds: float | None) -> None:
        """One of the connections this provider may have at once."""
        assert self._places is not None
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            reason = f"every connection to {origin[1]} was in use for {seconds:g} s"
            raise ConnectTimedOut(reason, "connect") from None

    async def _dial(self, origin: Origin, seconds: float | None) -> tuple[Connection, WireTiming]:
        try:
            return await reaching(origin, seconds, lambda: self._connect(origin))
        except BaseException:
            if self._places is not None:
                self._places.release()
            raise

    async def _connect(self, origin: Origin) -> Connection:
        if self._tls is None and origin[0] == "https":
            self._tls = self._make_tls()
        return await self._open(origin, lambda: Connection(self._pool, origin), self._tls)

    async def _open(self, origin: Origin, make: Callable[[], Protocol], tls: ssl.SSLContext | None) -> Protocol:
        """A new socket with `make`'s protocol on it; over https when TLS stands."""
        scheme, host, port = origin
        if self._proxies is not None:
            opened = await self._proxies.open(host, port, self._reach)
            if isinstance(opened, Tunnel):
                return await opened.carry(make, tls if scheme == "https" else None, host)
        else:
            opened = await open_socket(host, port, self._reach)
        options: dict[str, Any] = {}
        if scheme == "https":
            options = {"ssl": tls, "server_hostname": host, "ssl_shutdown_timeout": SHUTDOWN_SECONDS}
        try:
            _, protocol = await asyncio.get_running_loop().create_connection(make, sock=opened, **options)
        except BaseException:
            opened.close()
            raise
        return protocol


async def reaching(
    origin: Origin, seconds: float | None, connect: Callable[[], Awaitable[Connected]]
) -> tuple[Connected, WireTiming]:
    """What `connect` gives, within `seconds`, and how long it took. Raises Unreachable and ConnectTimedOut."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(seconds):
            connected = await connect()
    except TimeoutError:
        raise ConnectTimedOut(f"no connection to {origin[1]} within {seconds:g} s", "connect") from None
    except UpstreamFailure:
        raise
    except (OSError, ssl.CertificateError) as problem:
        raise Unreachable(connect_reason(problem), "connect") from problem
    return connected, WireTiming(int((time.perf_counter() - started) * 1e6), False)


def response_of(answer: Head, timing: WireTiming) -> httpx.Response:
    response = httpx.Response(
        answer.status,
        stream=answer.stream,
        extensions={
            "reason_phrase": answer.reason,
            "http_version": b"HTTP/" + answer.http_version.encode(),
            "wire": timing,
        },
    )
    response.headers = WireHeaders(answer.headers)
    return response


async def wait_for_head(connection: Source, waiter: asyncio.Future[Head]) -> Head:
    try:
        return await waiter
    except asyncio.CancelledError:
        # When the head came in the same moment, the connection may already serve another request.
        if waiter.cancelled():
            connection.abort()
        elif waiter.exception() is None:
            waiter.result().stream.abort()
        raise


def request_head(method: str, target: bytes, pairs: HeaderPairs) -> bytes:
    """Raises UnsendableRequest when a line break would smuggle in another line."""
    lines = [b"%b %b HTTP/1.1\r\n" % (method.encode(), target)]
    lines += [b"%b: %b\r\n" % pair for pair in pairs]
    lines.append(b"\r\n")
    head = b"".join(lines)
    if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines) or b" " in target:
        raise UnsendableRequest("a line break in a header, or a blank in the target", "write")
    return head


async def read_body(request: httpx.Request, pairs: HeaderPairs) -> bytes:
    """The body of a request that came without the `body` extension, framed as its headers say."""
    stream = request.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("the request's body is not an asynchronous stream")
    parts = [part async for part in stream if part]
    if any(name.lower() == b"transfer-encoding" for name, _ in pairs):
        framed = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
        return b"".join([*framed, b"0\r\n\r\n"])
    return b"".join(parts)
