"""One client connection: uvicorn's HTTP/1.1 protocol with the checks it leaves to others.

Refused before the application sees them: a head larger than 64 kB (431), a request line larger than 16 kB (414), header
names with `_` (two names that some servers take for one), a missing or doubled `Host` (400). Trailers of a chunked body
are dropped: they must not pass for headers. The request target is kept byte for byte for the relay.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import select
import urllib.parse
from typing import Any

import httptools
import structlog
import uuid_utils
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.api.cycle import Cycle, status_line
from gateway.api.replies import REQUEST_ID
from gateway.api.state import GatewayState

QUIET_SECONDS = 1.0
"""After this long without a request none is thought to be on its way."""
LONGEST_HEAD = 5.0
"""How long the first request of a connection, or the head of one, is waited for when the connection is to go."""
LINGER_SECONDS = 5.0
"""How long a client that was answered may say nothing before its connection ends."""
LINGER_BYTES = 256 * 1024 * 1024
"""How much a client may send that was answered before it had sent its request."""
REFUSED_BYTES = 1024 * 1024
"""The same after what is not HTTP as it should be."""
HEAD_BOUND = 64 * 1024
REQUEST_LINE_BOUND = 16 * 1024

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The request is answered here, and the connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class GatewayProtocol(HttpToolsProtocol):
    """`head_bytes` counts what arrived while a head is open, also what the parser holds back: a bound on both."""

    cycle: Cycle

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False
        self.head_open = True
        self.head_bytes = 0
        self.heads = 0
        self.declining = False
        """The request now being parsed offered another protocol."""
        self.refused: Refused | None = None
        self.quiet_since = 0.0
        """The loop's time at which the connection was made, an answer ended or a head began, whichever was last."""
        self.lingers_until = 0.0
        """Our side has ended; what comes until then is thrown away. 0.0: it has not."""
        self.linger_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.quiet_since = self.loop.time()
        if isinstance(self.server_state, GatewayState):
            self.server_state.came()
        # The same patience for a head to come as between two requests.
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        # The two hold each other: what is gone must not wait for the garbage collector.
        cycle, self.cycle = self.cycle, None  # type: ignore[assignment]
        if cycle is not None and cycle.disconnected:
            cycle.lost()

    def data_received(self, data: bytes) -> None:
        if self.lingers_until:
            self._throw_away(len(data))
            return
        if self.refused is not None:
            return
        heads, was_open = self.heads, self.head_open
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            else:
                self._decline_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(self.refused or Refused(400, "The request is not valid HTTP/1.1."))
            return
        if was_open and self.head_open and heads == self.heads:
            self.head_bytes += len(data)
            if self.head_bytes > HEAD_BOUND:
                self._refuse(Refused(431, f"The request's headers are larger than {HEAD_BOUND} bytes."))

    def _refuse(self, refused: Refused) -> None:
        """Answer on our own and close; in the middle of an answer only the latter, after it."""
        self.refused = refused
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                cycle.keep_alive = False
                return
            cycle.lost()
        request_id = str(uuid_utils.uuid7())
        log.info("request refused", request_id=request_id, status=refused.status, reason=refused.message)
        self.transport.write(refusal_bytes(refused, request_id))
        self.linger(REFUSED_BYTES)

    @property
    def is_leaving(self) -> bool:
        """The process is about to end: every answer is the last of its connection."""
        return isinstance(self.server_state, GatewayState) and self.server_state.is_draining

    def linger(self, most: int = LINGER_BYTES) -> None:
        """End our side and throw away what still comes, up to `most` bytes: a connection closed on bytes that nobody
        has read is reset, and a reset takes the answer from the client that has not read it yet."""
        if self.transport.is_closing() or self.lingers_until:
            return
        self.lingers_until = self.loop.time() + LINGER_SECONDS
        self.linger_bytes = most
        self.pipeline.clear()
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        if self.transport.can_write_eof():  # TLS has no half of a connection to end
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self._end_lingering)

    def _throw_away(self, size: int) -> None:
        self.lingers_until = self.loop.time() + LINGER_SECONDS
        self.linger_bytes -= size
        if self.linger_bytes < 0:
            self.transport.abort()

    def _end_lingering(self) -> None:
        left = self.lingers_until - self.loop.time()
        if self.transport.is_closing():
            return
        if left > 0:
            self.loop.call_later(left, self._end_lingering)
        else:
            self.transport.abort()

    def on_response_complete(self) -> None:
        self.quiet_since = self.loop.time()
        if not self.lingers_until:
            super().on_response_complete()

    def announce_end(self) -> None:
        """The answer under way, if its head is not out yet, is the last one."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def let_go(self, quiet: float = QUIET_SECONDS) -> bool:
        """Close the connection when nothing is under way on it, nor in the socket, and none was for `quiet` seconds:
        what a client sends in the moment of closing is lost to it."""
        if self.transport.is_closing() or self.lingers_until:
            return False
        if self.cycle is not None and not self.cycle.response_complete:
            return False
        # Who has just connected is about to ask; a busy machine may let it wait for seconds.
        awaited = self.cycle is None or (self.head_open and self.head_bytes > 0)
        silence = self.loop.time() - self.quiet_since
        if silence < (LONGEST_HEAD if awaited else quiet) or self._has_unread():
            return False
        self.transport.close()
        return True

    def _has_unread(self) -> bool:
        """Bytes are in the socket that the loop has not come to yet."""
        waiting = select.poll()
        waiting.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(waiting.poll(0))

    def _stop(self, status: int, message: str) -> None:
        """Refuse from inside a parser's callback; the parser then reports the error."""
        self.refused = Refused(status, message)
        raise self.refused

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.quiet_since = self.loop.time()
        self.head_open = True
        self.head_bytes = 0
        self.heads += 1

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > REQUEST_LINE_BOUND:
            self._stop(414, f"The request line is longer than {REQUEST_LINE_BOUND} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.head_open:
            return
        if b"_" in name:
            self._stop(400, f"The header name {name.decode('latin-1')} holds an underscore, which is not accepted.")
        self.head_bytes += len(name) + len(value) + 4
        if self.head_bytes > HEAD_BOUND:
            self._stop(431, f"The request's headers are larger than {HEAD_BOUND} bytes.")
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._unset_keepalive_if_required()
        self.head_open = False
        self.head_bytes = 0
        scope: Any = self.scope
        version = self.parser.get_http_version()
        self._check_host(version)
        scope["method"] = self.parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        if scope["method"] == "CONNECT":
            self._stop(405, "This is no proxy for connections: CONNECT is not taken.")
        self.declining = self.parser.should_upgrade()
        if self.declining:
            return
        self._fill_target(scope)
        self._begin_cycle(version != "1.0" and self.parser.should_keep_alive() and not self.is_leaving)

    def on_body(self, body: bytes) -> None:
        if not self.declining and not self.cycle.response_complete:
            self.cycle.take_in(body)

    def on_message_complete(self) -> None:
        if not self.declining:
            super().on_message_complete()

    def _decline_upgrade(self, rest: bytes) -> None:
        """Another protocol than websocket was offered. The parser takes no body behind such an offer, so the request is
        parsed again without it: declining means to answer as if nothing had been offered."""
        kept = [(name, value) for name, value in self.headers if name not in (b"connection", b"upgrade")]
        lines = [b"%b %b HTTP/1.1" % (self.scope["method"].encode(), self.url)]
        lines += [b"%b: %b" % pair for pair in kept]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def _check_host(self, version: str) -> None:
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (hosts == 0 and version != "1.0"):
            self._stop(400, "The request needs exactly one Host header.")

    def _fill_target(self, scope: Any) -> None:
        url = self.url
        if not url.startswith(b"/"):
            with contextlib.suppress(httptools.HttpParserInvalidURLError):
                # The absolute form, as sent to a proxy; what names the host is dropped.
                parsed = httptools.parse_url(url)
                url = (parsed.path or b"/") + (b"?" + parsed.query if parsed.query else b"")
        raw_path, _, query = url.partition(b"?")
        try:
            path = raw_path.decode("ascii")
        except UnicodeDecodeError:
            self._stop(400, "The path holds bytes that are not ASCII; percent-encode them.")
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = query
        scope["turnlog.target"] = url

    def _begin_cycle(self, keep_alive: bool) -> None:
        previous = self.cycle
        self.cycle = Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        self.cycle.connection = self
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))


def refusal_bytes(refused: Refused, request_id: str) -> bytes:
    """A whole answer. Which API the client speaks is not known yet; every SDK finds `error.message` in this shape."""
    error = {"type": "invalid_request_error", "message": refused.message}
    body = json.dumps({"type": "error", "error": error}).encode()
    head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body)
    identified = b"%b: %b\r\n\r\n" % (REQUEST_ID, request_id.encode())
    return status_line(refused.status) + head + identified + body
