"""One HTTP/1.1 connection to a provider, as an asyncio protocol over llhttp's response parser.

    DIALLING ──connected──▶ IDLE ──start()──▶ HEAD ──final head──▶ BODY ──last byte──▶ IDLE   (given back to the pool)
                             │                 │ ▲                   │
                             │                 └─┘ 1xx               └──▶ CLOSED  not reusable, see `_complete`
                             └──▶ CLOSED  EOF or any byte while idle; idle for too long
    HEAD, BODY ──error, EOF, timeout, abort()──▶ CLOSED

Bytes from the socket go straight into the parser; what one read brings of the body becomes one chunk of the
`WireStream`, which may pass it on at once. The stream, not the connection, holds the chunks: when the message is
complete the connection is free although its reader may be at the beginning. More than 64 kB unread pause the socket.

An upload is pushed by `_pump` in slices, from `start()` and then whenever the transport's buffer has drained, beside
the reading of the answer; no task is involved.

Timeouts are deadlines on one `Clock`, moved by every event and looked at now and then: no chunk pays for a timer.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
import struct
from enum import Enum
from typing import cast

import httptools

from gateway.upstream.acknowledged import RESTED_SECONDS, bytes_acknowledged
from gateway.upstream.client import HeaderPairs
from gateway.upstream.clock import NEVER, Clock
from gateway.upstream.failures import (
    BodyTimedOut,
    BrokenAnswer,
    HeadersTimedOut,
    Phase,
    ReadBroken,
    UpstreamFailure,
    WriteBroken,
    WriteTimedOut,
)
from gateway.upstream.pool import Pool
from gateway.upstream.stream import HIGH_WATER, Head, WireStream

HEAD_LIMIT = 256 * 1024
"""Largest block of headers, interim ones included."""
SLICE = 256 * 1024
"""How much of an upload is handed to the transport at a time."""
AT_ONCE = struct.pack("ii", 1, 0)
JOINED = 16 * 1024
"""A body up to this size goes out in the same write as its head."""


class State(Enum):
    IDLE = 1
    HEAD = 2
    BODY = 3
    CLOSED = 4


class Connection(asyncio.Protocol):
    """`start` sends a request and gives the future of its `Head`. Only the pool hands out idle connections."""

    def __init__(self, owner: Pool, key: tuple[str, str, int]) -> None:
        self.key = key
        self.idle_since = 0.0
        self.used = 0
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self.born = self._loop.time()
        self._state = State.IDLE
        self._clock = Clock(self._loop, self._look)
        self._is_paused = False
        self._can_write = True
        self._upload: memoryview | None = None
        self._seen_eof = False
        self._quiet: select.poll | None = None

    # What the transport calls.

    def start(self, method: str, head: bytes, body: bytes, timeouts: dict[str, float | None]) -> asyncio.Future[Head]:
        """Send the request; the future ends at the final head or with an `UpstreamFailure`.

        Whoever stops waiting calls `abort` here, or on the stream when the future has its result.
        """
        self._waiter: asyncio.Future[Head] = self._loop.create_future()
        self._head_bytes = 0
        self.used += 1
        self._taken_before: int | None = None
        if self._state is not State.IDLE:
            self._fail(BrokenAnswer("closed before the request", "write"))
            return self._waiter
        self._state = State.HEAD
        if self.used > 1 and self._loop.time() - self.idle_since >= RESTED_SECONDS:
            self._taken_before = bytes_acknowledged(self._transport)
        self._reason = b""
        self._headers: HeaderPairs = []
        self._is_head_request = method == "HEAD"
        self._pieces: list[bytes] = []
        self._is_interim = self._is_dirty = self._is_done = False
        self._has_length = False
        self._coding: bytes | None = None
        self._parser = httptools.HttpResponseParser(self)
        # Takes Transfer-Encoding where a Content-Length stands beside it; such a connection is not used again.
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True)
        self._timeouts = timeouts
        self._watch()
        if len(body) <= JOINED:
            self._transport.write(head + body if body else head)
        else:
            self._transport.write(head)
            self._upload = memoryview(body)
            self._pump()
        return self._waiter

    def is_reusable(self) -> bool:
        """Idle, open, and with nothing waiting in the socket: a FIN that came a moment ago shows here."""
        if self._state is not State.IDLE or self._transport.is_closing() or self._quiet is None:
            return False
        return not self._quiet.poll(0)

    def abort(self) -> None:
        """Close at once; the provider sees it at once."""
        if self._state is State.IDLE:
            self._owner.forget(self)
        elif not self._transport.is_closing() and (self._state is State.HEAD or self._has_unsent()):
            # Where the provider takes no bytes, a FIN would wait behind the rest of the request; a reset does not.
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self._state = State.CLOSED
        self._clock.stop()
        self._upload = None
        self._transport.abort()

    def close(self) -> None:  # in good order, when nothing is under way any more
        self._state = State.CLOSED
        self._clock.stop()
        self._transport.close()

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._clock.allow(self._wait("read"))
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=64 * 1024)
        self._quiet = select.poll()
        self._quiet.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        state = self._state
        if state is State.IDLE:
            self.abort()
            return
        if state is State.CLOSED:
            return
        if state is State.HEAD:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as problem:
            self._is_dirty = True
            if not self._is_done:
                self._deliver()
                self._fail(self._parse_failure(problem))
                return
        if self._state is State.HEAD and self._head_bytes > HEAD_LIMIT:
            self._fail(BrokenAnswer("more than 256 kB of headers", "headers"))
        elif self._state is State.BODY:
            self._clock.allow(self._wait("read"))
            self._deliver()
            if self._is_done:
                self._complete()

    def eof_received(self) -> bool | None:
        self._seen_eof = True
        if self._state is State.BODY and self._ends_by_closing() and self._is_honest_end():
            self._is_dirty = self._is_done = True
            self._complete()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.lost(self)
        if self._state is State.IDLE:
            self._owner.forget(self)
        elif self._state is not State.CLOSED:
            # A FIN acknowledges what had come; a reset need not.
            self._fail(self._loss(exc), closed=self._seen_eof or isinstance(exc, BrokenPipeError))
        self._state = State.CLOSED
        self._clock.end()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._pump()

    # What the parser calls, from within feed_data.

    def on_message_begin(self) -> None:
        if self._is_done:
            self._is_dirty = True
        self._reason = b""

    def on_status(self, reason: bytes) -> None:
        self._reason = reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._state is not State.HEAD:
            return  # A trailer, or what stands after the message.
        value = value.rstrip(b" \t")
        if len(name) == 14 and name.lower() == b"content-length":
            self._has_length = True
        elif len(name) == 17 and name.lower() == b"transfer-encoding":
            self._coding = value
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self._is_done:
            return
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101 or status < 100:
                raise ValueError(f"status {status} was not asked for")
            self._is_interim = True
            return
        if self._head_bytes > HEAD_LIMIT:
            self._check_head_size()
        version = self._parser.get_http_version()
        if version not in ("1.1", "1.0"):
            raise ValueError(f"the answer is HTTP/{version}")
        self._keeps_alive = self._parser.should_keep_alive() and not (self._coding and self._has_length)
        self._stream = WireStream(self)
        self._state = State.BODY
        self._is_done = self._is_head_request
        if status >= 400 and self._upload is not None:
            self._upload = None
            self._is_dirty = True
        if self._waiter.done():
            self._is_dirty = True  # Nobody waits any more: whoever did is about to call `abort`.
        else:
            self._waiter.set_result(Head(status, self._reason, version, self._headers, self._stream))

    def on_body(self, piece: bytes) -> None:
        if self._is_done:
            self._is_dirty = True
        else:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = self._has_length = False
            self._coding = None
            self._headers.clear()
        elif self._state is State.BODY:
            self._is_done = True

    # Inside.

    def _check_head_size(self) -> None:
        if sum(len(name) + len(value) + 4 for name, value in self._headers) > HEAD_LIMIT:
            raise ValueError("more than 256 kB of headers")

    def _deliver(self) -> None:
        pieces = self._pieces
        if not pieces:
            return
        chunk = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._pieces = []
        unread = self._stream.feed(chunk, is_last=self._is_done)
        if unread > HIGH_WATER and not self._is_paused and not self._is_done:
            self._is_paused = True
            self._transport.pause_reading()

    def _complete(self) -> None:
        """The message has ended: the connection goes back to the pool, or away when anything about it is in doubt."""
        if self._has_unsent():
            self.abort()
        elif self._keeps_alive and not self._is_dirty and not self._seen_eof:
            self._state = State.IDLE
            self.resume_reading()
            self._owner.take_back(self)
        else:
            self.close()
        self._stream.finish(None)
        del self._parser, self._stream, self._waiter

    def _has_unsent(self) -> bool:
        return self._upload is not None or self._transport.get_write_buffer_size() > 0

    def _fail(self, failure: UpstreamFailure, *, closed: bool = False) -> None:
        was_body = self._state is State.BODY
        failure.reused = self.used > 1
        if closed and self._taken_before is not None and not was_body:
            failure.unseen = self._taken_before == bytes_acknowledged(self._transport)
        self.abort()
        if was_body:
            self._stream.finish(failure)
        elif not self._waiter.done():
            self._waiter.set_exception(failure)

    def _phase(self) -> Phase:
        return "body" if self._state is State.BODY else "headers"

    def _parse_failure(self, problem: Exception) -> UpstreamFailure:
        # The parser wraps what our callbacks raise, and reports an upgrade as an exception of its own.
        inner = problem.__context__
        if isinstance(inner, ValueError):
            return BrokenAnswer(str(inner), self._phase())
        where = "answer" if self._state is State.BODY else "head"
        return BrokenAnswer(f"malformed {where}: {str(problem).lower()}", self._phase())

    def _loss(self, exc: Exception | None) -> UpstreamFailure:
        if self._state is State.HEAD:
            if self._head_bytes:
                return BrokenAnswer("closed inside the head", "headers")
            if exc is not None and self._upload is not None:
                return WriteBroken("connection reset during the upload", "write")
            if exc is not None:
                return ReadBroken("connection reset before the answer", "headers")
            return BrokenAnswer("closed before the answer", "headers")
        if exc is not None:
            return ReadBroken("connection reset inside the answer", "body")
        if self._ends_by_closing():
            return BrokenAnswer("TLS: closed without saying so", "body")
        kind = "its last chunk" if self._coding else "the promised length"
        return BrokenAnswer(f"closed before {kind}", "body")

    def _ends_by_closing(self) -> bool:
        """No length and no chunks: the body lasts until the connection ends."""
        if self._coding is not None:
            return not self._coding.lower().endswith(b"chunked")
        return not self._has_length

    def _is_honest_end(self) -> bool:
        """Over TLS only a close_notify ends a body; asyncio reports a bare FIN as EOF too."""
        tls = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return not tls.read(1)
        except ssl.SSLZeroReturnError:
            return True
        except ssl.SSLError:
            return False

    def _pump(self) -> None:
        upload = self._upload
        if upload is None:
            return
        self._clock.allow(self._wait("write"))
        while self._can_write and upload:
            self._transport.write(upload[:SLICE])
            upload = upload[SLICE:]
        self._upload = upload or None
        if self._upload is None and self._state is State.HEAD:
            self._clock.allow(self._wait("headers"))

    # The clock.

    def _wait(self, name: str) -> float:
        seconds = self._timeouts.get(name)
        return NEVER if seconds is None else seconds

    def _watch(self) -> None:
        self._unsent = 0
        self._clock.allow(self._wait("headers"))
        self._clock.watch(min(self._wait("write"), self._wait("headers"), self._wait("read")))

    def _look(self, now: float) -> bool:
        if self._state is State.IDLE or self._state is State.CLOSED:
            return False
        failure = None if self._is_paused else self._overdue(now)
        if failure is not None:
            self._fail(failure)
        return failure is None

    def _overdue(self, now: float) -> UpstreamFailure | None:
        is_uploading = self._state is State.HEAD and self._is_uploading()
        if now < self._clock.deadline:
            return None
        if is_uploading:
            return WriteTimedOut(f"took no bytes of the request for {self._wait('write'):g} s", "write")
        if self._state is State.HEAD:
            return HeadersTimedOut(f"no answer for {self._wait('headers'):g} s", "headers")
        return BodyTimedOut(f"silent for {self._wait('read'):g} s inside the answer", "body")

    def _is_uploading(self) -> bool:
        """Bytes of the request are still here. Moves the deadline when there are fewer than at the last look."""
        unsent = self._transport.get_write_buffer_size() + (len(self._upload) if self._upload else 0)
        if unsent != self._unsent:
            if unsent:
                self._clock.allow(self._wait("write"))
            self._unsent = unsent
        return unsent > 0
