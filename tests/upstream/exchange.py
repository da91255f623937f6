"""One request and its answer on one connection of the fake provider: what was seen, and the writer scenarios use."""

from __future__ import annotations

import asyncio
import hashlib
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.upstream.answers import Answer, Asked, answer_to

KEPT_BODY = 64 * 1024 * 1024
Pairs = list[tuple[bytes, bytes]]


@dataclass
class SeenRequest:
    """A request as it came: names and values of `headers` in order and case; `body` without its chunk framing."""

    method: str
    target: bytes
    http_version: str
    headers: Pairs
    connection_id: int
    number: int
    started_at: float
    body: bytes = b""
    was_chunked: bool = False
    is_complete: bool = False
    """False when the client left before its whole body had come, or nobody read it."""
    scenario: str = "text"
    aborted: bool = False
    """The client left before the answer was finished."""
    aborted_at: float | None = None
    """`time.monotonic()` of that moment."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def body_sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    @property
    def path(self) -> str:
        return self.target.partition(b"?")[0].decode("latin-1")

    def header(self, name: str) -> bytes | None:
        wanted = name.lower().encode()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass
class SentResponse:
    """What was sent: `body` holds the first 64 MiB without chunk framing; the hash and count cover all of it."""

    number: int
    status: int = 0
    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    body_bytes: int = 0
    is_finished: bool = False
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        return self.digest.hexdigest()


class Exchange:
    """The writer a scenario gets. `send` writes raw bytes; `head`, `body`, `end` write a framed answer and record it.

    `leave` is awaited by scenarios that stay silent: it never returns.
    """

    def __init__(self, transport: asyncio.Transport, drain: Callable[[], object], request: SeenRequest) -> None:
        self.transport = transport
        self.request = request
        self.sent = SentResponse(request.number)
        self.params: dict[str, str] = {}
        self.kind = "text"
        self.must_close = False
        self.closed_by_us = False
        self._drain = drain
        self._is_chunked = False
        self._kept: list[bytes] = []
        self._answer: Answer | None = None

    @property
    def answer(self) -> Answer:
        """What a healthy provider would say."""
        if self._answer is None:
            self._answer = answer_to(self.asked)
        return self._answer

    @property
    def asked(self) -> Asked:
        request = self.request
        names = {name.decode("latin-1").lower() for name, _ in request.headers}
        return Asked(request.method, request.path, names, request.body, request.number, self.kind, self.params)

    def number(self, name: str, default: float) -> float:
        return float(self.params.get(name, default))

    async def send(self, data: bytes) -> None:
        if self.transport.is_closing():
            raise ConnectionResetError
        self.transport.write(data)
        await self._drain()  # type: ignore[misc]

    async def head(
        self, status: int, headers: Pairs, framing: str | int = "chunked", version: str = "1.1", reason: str = "OK"
    ) -> None:
        """`framing`: "chunked", "close" (no length) or the number for Content-Length."""
        pairs = list(headers)
        if framing == "chunked":
            pairs.append((b"Transfer-Encoding", b"chunked"))
        elif framing != "close":
            pairs.append((b"Content-Length", str(framing).encode()))
        self._is_chunked = framing == "chunked"
        self.must_close = self.must_close or framing == "close"
        self.sent.status, self.sent.headers = status, pairs
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in pairs)
        await self.send(f"HTTP/{version} {status} {reason}\r\n".encode() + lines + b"\r\n")

    async def body(self, data: bytes) -> None:
        if not data:
            return
        self.note(data)
        await self.send(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    def note(self, data: bytes) -> None:
        """Record bytes of the body that a scenario sends by itself."""
        sent = self.sent
        if sent.body_bytes < KEPT_BODY:
            self._kept.append(data)
        sent.body_bytes += len(data)
        sent.digest.update(data)

    async def end(self, trailers: bytes = b"") -> None:
        if self._is_chunked:
            await self.send(b"0\r\n" + trailers + b"\r\n")
        self.sent.is_finished = True

    async def answer_whole(self, answer: Answer, extra: Pairs | None = None) -> None:
        """Send the answer as a healthy provider does: each event at once, or the body with its length."""
        headers = answer.headers + (extra or [])
        if answer.events is None:
            await self.head(answer.status, headers, len(answer.body))
            if self.request.method != "HEAD":
                await self.body(answer.body)
        else:
            await self.head(answer.status, headers)
            for event in answer.events:
                await self.pause()
                await self.body(event)
        await self.end()

    async def pause(self) -> None:
        milliseconds = self.number("ms", 0)
        if milliseconds:
            await asyncio.sleep(milliseconds / 1000)

    async def leave(self) -> None:
        """Do nothing until the client goes, which is seen although nobody reads."""
        left = select.poll()
        left.register(self.transport.get_extra_info("socket").fileno(), getattr(select, "POLLRDHUP", 0))
        while not left.poll(0):
            await asyncio.sleep(0.01)
        self.mark_aborted()
        raise ConnectionResetError

    async def close(self) -> None:
        """FIN after what was written."""
        self.must_close = self.closed_by_us = True
        self.transport.close()

    def reset(self) -> None:
        """RST; what was written and not yet taken by the network is lost."""
        self.must_close = self.closed_by_us = True
        held = self.transport.get_extra_info("socket")
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def stop_reading(self) -> None:
        self.transport.pause_reading()

    def finish(self) -> SentResponse:
        self.sent.body = b"".join(self._kept)
        self._kept.clear()
        return self.sent

    def mark_aborted(self) -> None:
        if not self.request.aborted and not self.closed_by_us:
            self.request.aborted = True
            self.request.aborted_at = time.monotonic()
