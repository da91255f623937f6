"""One request and its answer on a connection that carries several at once (HTTP/2): a stream of that connection.

    HEAD ──final head──▶ BODY ──END_STREAM──▶ over
     └──────────┴──reset, timeout, abort(), end of the connection──▶ over

The upload goes out as far as the provider's windows reach, from `pump()`, beside the reading of the answer. More
than 64 kB unread of an answer keep the stream's window shut; the provider then waits for this reader and for no other.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from h2.errors import ErrorCodes
from h2.events import DataReceived

from gateway.upstream.client import HeaderPairs
from gateway.upstream.clock import NEVER, Clock
from gateway.upstream.failures import BodyTimedOut, BrokenAnswer, HeadersTimedOut, UpstreamFailure, WriteTimedOut
from gateway.upstream.stream import HIGH_WATER, Head, WireStream

if TYPE_CHECKING:
    from gateway.upstream.shared_connection import SharedConnection


class Exchange:
    """`waiter` is the future of its `Head`; whoever stops waiting calls `abort` here, or on the head's stream."""

    def __init__(
        self, connection: SharedConnection, number: int, body: bytes, timeouts: dict[str, float | None], *, reused: bool
    ) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self.waiter: asyncio.Future[Head] = loop.create_future()
        self._connection = connection
        self._upload: memoryview | None = memoryview(body) if body else None
        self._stream: WireStream | None = None
        self._timeouts = timeouts
        self._reused = reused
        self._owed = 0
        """Bytes of the answer that came, and for which the window was not opened again."""
        self._clock = Clock(loop, self._look)
        self._clock.allow(self._wait("write" if body else "headers"))
        self._clock.watch(min(self._wait("write"), self._wait("headers"), self._wait("read")))

    # What its reader calls.

    def abort(self) -> None:
        """Tell the provider at once that nobody wants the rest."""
        self._connection.reset(self, ErrorCodes.CANCEL)
        self.end()

    def resume_reading(self) -> None:
        if self._owed:
            owed, self._owed = self._owed, 0
            self._clock.allow(self._wait("read"))
            self._connection.acknowledge(self, owed)

    # What the connection calls.

    def pump(self) -> None:
        """Send of the request what the windows and the socket take."""
        while self._upload is not None:
            room = self._connection.room(self)
            if room <= 0:
                return
            piece, rest = self._upload[:room], self._upload[room:]
            self._upload = rest if len(rest) else None
            self._connection.send(self, bytes(piece), is_last=self._upload is None)
            if self._stream is None:
                self._clock.allow(self._wait("write" if self._upload is not None else "headers"))

    def head_came(self, pairs: HeaderPairs) -> None:
        status = next((int(value) for name, value in pairs if name == b":status"), 0)
        headers = [(bytes(name), bytes(value)) for name, value in pairs if not name.startswith(b":")]
        self._stream = WireStream(self)
        self._clock.allow(self._wait("read"))
        if status >= 400:
            self._upload = None
        if not self.waiter.done():  # else whoever waited is about to call `abort`
            self.waiter.set_result(Head(status, b"", "2", headers, self._stream))

    def data_came(self, event: DataReceived) -> None:
        assert self._stream is not None
        self._clock.allow(self._wait("read"))
        length = event.flow_controlled_length or 0
        is_last = event.stream_ended is not None
        unread = self._stream.feed(event.data, is_last=is_last) if event.data else 0
        if unread > HIGH_WATER or self._owed:
            self._owed += length
        elif length:
            self._connection.acknowledge(self, length)

    def ended(self) -> None:
        """The answer is whole."""
        if not self._connection.has_sent(self):
            self._connection.reset(self, ErrorCodes.CANCEL)
        stream = self._stream
        self.end()
        if stream is not None:
            stream.finish(None)

    def fail(self, failure: UpstreamFailure) -> None:
        failure.reused = self._reused
        stream = self._stream
        self.end()
        if stream is not None:
            stream.finish(failure)
        elif not self.waiter.done():
            self.waiter.set_exception(failure)

    @property
    def has_begun(self) -> bool:
        """The final head has come."""
        return self._stream is not None

    def broken(self, reason: str) -> BrokenAnswer:
        return BrokenAnswer(reason, "body" if self.has_begun else "headers")

    def end(self) -> None:
        self._clock.end()
        self._upload = None
        if self._owed:
            owed, self._owed = self._owed, 0
            self._connection.acknowledge(self, owed)
        self._connection.forget(self)

    # The clock.

    def _wait(self, name: str) -> float:
        seconds = self._timeouts.get(name)
        return NEVER if seconds is None else seconds

    def _look(self, now: float) -> bool:
        if now < self._clock.deadline or self._owed:  # a reader that takes its time is no silence
            return True
        self._connection.reset(self, ErrorCodes.CANCEL)
        self.fail(self._overdue())
        return False

    def _overdue(self) -> UpstreamFailure:
        if self._stream is not None:
            return BodyTimedOut(f"silent for {self._wait('read'):g} s inside the answer", "body")
        if self._upload is not None:
            return WriteTimedOut(f"took no bytes of the request for {self._wait('write'):g} s", "write")
        return HeadersTimedOut(f"no answer for {self._wait('headers'):g} s", "headers")
