"""How one answer is written to its connection.

uvicorn's own cycle does this for any ASGI application; the gateway needs it to be exact where that one is approximate:
no body after 204 and 304 whatever `content-length` says, no chunks for HTTP/1.0 clients, any three-digit status, and a
broken answer always ends as a broken connection. Nothing is added to the headers but the framing.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

if TYPE_CHECKING:
    from gateway.api.protocol import GatewayProtocol

log = structlog.get_logger(__name__)

BODILESS = frozenset({204, 304})
BODY_FOLLOWS = "turnlog.body_follows"
"""In the message that starts an answer: bytes of its body come at once, and the head may wait for them."""
JOIN_BOUND = 16 * 1024
"""Chunks up to this size are joined with their framing; larger ones are written without a copy."""
LINGER_SECONDS = 30.0
HELD_BYTES = 256 * 1024
"""So much of a body may wait for the application; beyond it the socket is not read."""


def status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINES = {status: status_line(status) for status in range(100, 1000)}


class Cycle(RequestResponseCycle):
    """`remaining`: bytes of the announced `content-length` still to come; None in chunks, and where the connection's
    end is the answer's. `on_lost` is called once when the client leaves before its answer is whole."""

    connection: GatewayProtocol
    head = b""
    """The answer's head while it waits for the first bytes of its body, to go out with them."""
    chunked = False
    bodiless = False
    remaining: int | None = None
    on_lost: Callable[[], None] | None = None

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.pieces: list[bytes] = []
        self.held = 0

    def take_in(self, piece: bytes) -> None:
        """Bytes of the request's body have come. They are joined once, by who wants them, and not with each piece."""
        self.pieces.append(piece)
        self.held += len(piece)
        if self.held > HELD_BYTES:
            self.flow.pause_reading()
        self.message_event.set()

    def take(self) -> list[bytes]:
        """What has come of the body since the last time."""
        pieces, self.pieces, self.held = self.pieces, [], 0
        return pieces

    @property
    def has_whole_body(self) -> bool:
        """The rest of the body is here, and the client neither left nor waits to be told to send it."""
        return not (self.more_body or self.disconnected or self.waiting_for_100_continue)

    async def arrived(self) -> list[bytes] | None:
        """Wait for more of the body, or its end, which `more_body` tells; None when the client has left."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        if not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            await self.message_event.wait()
            self.message_event.clear()
        return None if self.disconnected or self.response_complete else self.take()

    async def receive(self) -> Any:
        pieces = await self.arrived()
        if pieces is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": b"".join(pieces), "more_body": self.more_body}

    def lost(self) -> None:
        """The client has left."""
        self.disconnected = True
        self.message_event.set()
        hook, self.on_lost = self.on_lost, None
        if hook is not None:
            hook()

    async def run_asgi(self, app: Any) -> None:
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            log.debug("request cut", request_id=self.scope.get("turnlog.request_id"))
        except Exception:
            request_id = self.scope.get("turnlog.request_id")
            log.exception("the application failed", path=self.scope.get("path"), request_id=request_id)
            if not self.response_started and not self.disconnected:
                await self.send_500_response()
        finally:
            self.on_response = lambda: None
            if not self.response_complete:
                self._break_off()

    def _break_off(self) -> None:
        """End the connection so that nobody takes what was sent for a whole answer."""
        self.disconnected = True
        if self.connection.lingers_until:
            return
        ends_by_closing = self.response_started and not self.chunked and self.remaining is None
        if self.flow.write_paused or ends_by_closing:
            # A reset: to whoever waits for the end of the connection, an ordinary end would be the end of the answer.
            opened = self.transport.get_extra_info("socket")
            if opened is not None:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self._close()

    def _close(self) -> None:
        if self.response_complete and (self.more_body or self.connection.is_leaving):
            self.connection.linger()
        else:
            self.transport.close()
        # A client that takes nothing would keep the last bytes, and with them the connection, for ever.
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.abort)

    async def send(self, message: Mapping[str, Any]) -> None:
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            head = self._make_head(message["status"], message.get("headers", ()))
            if message.get(BODY_FOLLOWS):
                self.head = head
            else:
                self.transport.write(head)
        elif not self.response_complete:
            self._write_body(message.get("body", b""), message.get("more_body", False))

    def write_more(self, body: bytes) -> bool:
        """Write bytes of a body that has begun, at once; False where `send` would wait or write nothing."""
        if self.flow.write_paused or self.disconnected or self.bodiless or not self.response_started:
            return False
        self._write(self._framed(body))
        return True

    def _make_head(self, status: int, headers: Any) -> bytes:
        self.response_started = True
        if self.waiting_for_100_continue:
            # The client may or may not send the body it asked about: what follows on this connection is undecidable.
            self.keep_alive = False
        content = [STATUS_LINES[status]]
        for name, value in headers:
            if b"\n" in value or b"\r" in value or b"\0" in value or b"\n" in name:
                raise ValueError(f"header {name!r} cannot be sent")
            lowered = name.lower()
            if lowered == b"content-length":
                self.remaining = int(value)
            elif lowered == b"connection":
                if value.lower() == b"close":
                    self.keep_alive = False
                continue
            elif lowered == b"transfer-encoding":
                continue
            content += (lowered, b": ", value, b"\r\n")
        self._frame(status, content)
        content.append(b"\r\n")
        return b"".join(content)

    def _frame(self, status: int, content: list[bytes]) -> None:
        self.bodiless = self.scope["method"] == "HEAD" or status in BODILESS
        if not self.bodiless and self.remaining is None:
            self.chunked = self.scope["http_version"] != "1.0"
            if self.chunked:
                content.append(b"transfer-encoding: chunked\r\n")
            else:
                self.keep_alive = False
        if not self.keep_alive:
            content.append(b"connection: close\r\n")

    def _write_body(self, body: bytes, more_body: bool) -> None:
        parts = self._framed(body) if body and not self.bodiless else []
        if not more_body:
            if self.chunked:
                parts.append(b"0\r\n\r\n")
            elif self.remaining and not self.bodiless:
                raise ValueError(f"{self.remaining} bytes of the announced content-length were not sent")
        self._write(parts)
        if more_body:
            return
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self._close()
        self.on_response()

    def _framed(self, body: bytes) -> list[bytes]:
        if self.chunked:
            return [b"%x\r\n" % len(body), body, b"\r\n"]
        if self.remaining is not None:
            if len(body) > self.remaining:
                raise ValueError("more bytes than the announced content-length")
            self.remaining -= len(body)
        return [body]

    def _write(self, parts: list[bytes]) -> None:
        """In one call to the system, whatever there is: each one wakes the client."""
        if self.head:
            parts.insert(0, self.head)
            self.head = b""
        if len(parts) < 2:
            for part in parts:
                self.transport.write(part)
        elif sum(map(len, parts)) <= JOIN_BOUND:
            self.transport.write(b"".join(parts))
        else:
            self.transport.writelines(parts)
