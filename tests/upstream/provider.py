"""The fake provider's server: accepts, reads requests, chooses the scenario, keeps the books.

In process: `async with FakeProvider() as provider:` then `provider.url`, `provider.requests`, `provider.responses`.
A scenario is chosen, in this order, by the request header `x-scenario`, by an entry of `POST /_control`, by
`provider.default_scenario`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO, Any, Self

from tests.upstream.exchange import Exchange, SeenRequest, SentResponse
from tests.upstream.reading import BadRequest, read_body, read_head
from tests.upstream.scenarios import EARLY, SCENARIOS

Handler = Callable[[Exchange], Awaitable[None]]
CONTENT_KINDS = ("text", "tools", "thinking", "parallel_tools")


class FakeProvider:
    """`keep`: how many requests and answers are remembered (None: all). `port` 0 takes a free one."""

    def __init__(
        self,
        port: int = 0,
        log: Path | None = None,
        name: str = "fake",
        keep: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: deque[SeenRequest] = deque(maxlen=keep)
        self.responses: deque[SentResponse] = deque(maxlen=keep)
        self.name = name
        self.default_scenario = "text"
        self.connection_count = 0
        self.open_connections = 0
        self._port = port
        self._tls = tls
        self._log: IO[str] | None = log.open("a") if log else None
        self._handlers: dict[str, Handler] = dict(SCENARIOS)
        self._early = set(EARLY)
        self._control: list[dict[str, Any]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._number = 0

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    async def __aenter__(self) -> Self:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._protocol, sock=listener, backlog=2048, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets the closed transports say so
        if self._log:
            self._log.close()

    def script(self, name: str, handler: Handler, *, is_early: bool = False) -> None:
        """Add a scenario: `async def handler(exchange)`; it is chosen like the named ones.

        An early one runs before the request's body is read, and nobody reads it afterwards.
        """
        self._handlers[name] = handler
        if is_early:
            self._early.add(name)

    async def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait until the condition holds; it is looked at whenever something happens here."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def answered(self, count: int, seconds: float = 5) -> None:
        await self.until(lambda: len(self.responses) >= count, seconds)

    def wake(self) -> None:
        """Have `until` look again: a test's own state has changed."""
        self._changed.set()

    async def seen(self, count: int, seconds: float = 5) -> None:
        await self.until(lambda: len(self.requests) >= count, seconds)

    def _protocol(self) -> asyncio.Protocol:
        reader = asyncio.StreamReader(limit=1024 * 1024)
        return _Watched(reader, self._accept)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held = writer.transport.get_extra_info("socket")
        held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection_count += 1
        self.open_connections += 1
        connection_id = self.connection_count
        try:
            while await self._exchange(reader, writer, connection_id):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        except BadRequest as problem:
            writer.write(f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n{problem}".encode())
        finally:
            self.open_connections -= 1
            writer.close()
            self._changed.set()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection_id: int) -> bool:
        """One request and its answer. False when the connection is used up."""
        head = await read_head(reader)
        if head is None:
            return False
        method, target, version, headers = head
        request = SeenRequest(method, target, version, headers, connection_id, 0, time.time())
        exchange = Exchange(writer.transport, writer.drain, request)  # type: ignore[arg-type]
        if request.path.startswith("/_control"):
            await read_body(reader, writer, request)
            await self._answer_control(exchange)
            return True
        self._number += 1
        request.number = exchange.sent.number = self._number
        name = self._choose(exchange)
        self.requests.append(request)
        watched = writer.transport.get_protocol()
        task = asyncio.get_running_loop().create_task(self._run(name, exchange, reader, writer))
        watched.on_gone = lambda: (exchange.mark_aborted(), task.cancel())  # type: ignore[attr-defined]
        try:
            await asyncio.wait([task])
        finally:
            watched.on_gone = None  # type: ignore[attr-defined]
            if not task.done():
                task.cancel()
        self._note(exchange)
        problem = None if task.cancelled() else task.exception()
        if problem is not None and not isinstance(problem, (OSError, asyncio.IncompleteReadError)):
            raise problem
        keep = version == "1.1" and not exchange.must_close and not request.aborted and problem is None
        return keep and (request.header("connection") or b"").lower() != b"close"

    async def _run(
        self, name: str, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if name not in self._early:
            try:
                await read_body(reader, writer, exchange.request)
            except asyncio.IncompleteReadError:
                exchange.mark_aborted()
                raise
        else:
            exchange.must_close = True
        self._changed.set()
        await self._handlers[name](exchange)

    def _choose(self, exchange: Exchange) -> str:
        request = exchange.request
        asked = request.header("x-scenario")
        text = asked.decode("latin-1") if asked else self._by_control(request) or self.default_scenario
        name, *parts = [part.strip() for part in text.split(";")]
        exchange.params = dict(part.partition("=")[::2] for part in parts if part)
        exchange.kind = exchange.params.get("content", name if name in CONTENT_KINDS else "text")
        request.scenario = text
        return name if name in self._handlers else "unknown_scenario"

    def _by_control(self, request: SeenRequest) -> str | None:
        if request.method == "HEAD":
            return None
        for entry in self._control:
            if not request.path.startswith(entry.get("path", "/")) or entry.get("count") == 0:
                continue
            if entry.get("count") is not None:
                entry["count"] -= 1
            return str(entry["scenario"])
        return None

    async def _answer_control(self, exchange: Exchange) -> None:
        """POST adds {"scenario", "count" (absent: always), "path" (a prefix)}; DELETE clears; GET shows."""
        request = exchange.request
        if request.method == "POST":
            self._control.append(json.loads(request.body))
        elif request.method == "DELETE":
            self._control.clear()
        body = json.dumps({"name": self.name, "entries": self._control, "requests": self._number}).encode()
        await exchange.head(200, [(b"Content-Type", b"application/json")], len(body))
        await exchange.body(body)

    def _note(self, exchange: Exchange) -> None:
        request, sent = exchange.request, exchange.finish()
        self.responses.append(sent)
        if self._log and not self._log.closed:
            self._log.write(json.dumps(log_line(self.name, request, sent)) + "\n")
            self._log.flush()
        request.ended.set()
        self._changed.set()


def log_line(name: str, request: SeenRequest, sent: SentResponse) -> dict[str, Any]:
    ids = [value for key, value in sent.headers if key.lower() in (b"request-id", b"x-request-id")]
    return {
        "provider": name,
        "number": request.number,
        "connection_id": request.connection_id,
        "started_at": request.started_at,
        "ended_at": time.time(),
        "method": request.method,
        "target": request.target.decode("latin-1"),
        "http_version": request.http_version,
        "request_headers": as_text(request.headers),
        "request_bytes": len(request.body),
        "request_sha256": request.body_sha256,
        "request_chunked": request.was_chunked,
        "request_complete": request.is_complete,
        "scenario": request.scenario,
        "aborted": request.aborted,
        "status": sent.status,
        "request_id": ids[0].decode("latin-1") if ids else None,
        "response_headers": as_text(sent.headers),
        "response_bytes": sent.body_bytes,
        "response_sha256": sent.sha256,
        "response_finished": sent.is_finished,
    }


def as_text(pairs: list[tuple[bytes, bytes]]) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in pairs]


class _Watched(asyncio.StreamReaderProtocol):
    """Tells at once when the client leaves, also while nobody reads."""

    def __init__(self, reader: asyncio.StreamReader, accept: Callable[..., None]) -> None:
        super().__init__(reader, accept)
        self.on_gone: Callable[[], object] | None = None

    def eof_received(self) -> bool | None:
        if self.on_gone:
            self.on_gone()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.on_gone:
            self.on_gone()
        super().connection_lost(exc)
