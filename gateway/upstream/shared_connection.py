"""One HTTP/2 connection to a provider, as an asyncio protocol over h2's state machine; each request is an `Exchange`.

A GOAWAY lets those that the provider has taken run to their end; the others may be sent again, for it says that nothing
of them was looked at. h2 by itself takes nothing more after a GOAWAY, hence `Lasting`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hpack import NeverIndexedHeaderTuple

from gateway.upstream.client import HeaderPairs
from gateway.upstream.exchange import Exchange
from gateway.upstream.failures import ReadBroken, UnsendableRequest

MOST_AT_ONCE = 100
STREAM_WINDOW = 1024 * 1024
"""What a provider may send of one answer before anybody has read of it."""
CONNECTION_WINDOW = 2**31 - 1
"""Never the bound: an answer that nobody reads must not hold up the others."""
FIRST_WINDOW = 65_535
HEAD_LIMIT = 256 * 1024
LAST_NUMBER = 2**30
OF_ONE_CONNECTION = {
    b"host",
    b"connection",
    b"keep-alive",
    b"proxy-connection",
    b"transfer-encoding",
    b"upgrade",
    b"te",
}
"""Headers that HTTP/2 has no place for (RFC 9113, 8.2.2)."""
SECRET = {b"authorization", b"x-api-key", b"cookie"}


class Lasting(H2Connection):
    """Goes on with its streams after the other side's GOAWAY (RFC 9113, 6.8)."""

    def _receive_goaway_frame(self, frame: Any) -> tuple[list[Any], list[Event]]:
        event = ConnectionTerminated()
        event.error_code = frame.error_code
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class SharedConnection(asyncio.Protocol):
    """`lost` is called once, when nothing more can be sent on it."""

    def __init__(self, lost: Callable[[SharedConnection], None]) -> None:
        self._lost = lost
        self._h2 = Lasting(H2Configuration(client_side=True, header_encoding=None))
        self._exchanges: dict[int, Exchange] = {}
        self._is_leaving = False
        self._can_write = True
        self._used = 0
        self._born = self.idle_since = asyncio.get_running_loop().time()

    # What the transport of httpx's interface calls.

    def has_room(self) -> bool:
        most = min(MOST_AT_ONCE, self._h2.remote_settings.max_concurrent_streams)
        return not self._is_leaving and not self._transport.is_closing() and len(self._exchanges) < most

    def age(self) -> float:
        """Seconds."""
        return asyncio.get_running_loop().time() - self._born

    @property
    def is_idle(self) -> bool:
        return not self._exchanges

    def start(
        self, method: str, target: bytes, pairs: HeaderPairs, body: bytes, timeouts: dict[str, float | None]
    ) -> Exchange:
        """Send the request. Raises UnsendableRequest."""
        head = head_of(method, target, pairs)
        number = self._h2.get_next_available_stream_id()
        if number > LAST_NUMBER:
            self.leave()
        try:
            self._h2.send_headers(number, head, end_stream=not body)
        except ProtocolError as problem:
            self.leave()
            raise UnsendableRequest(str(problem), "write") from None
        exchange = self._exchanges[number] = Exchange(self, number, body, timeouts, reused=self._used > 0)
        self._used += 1
        self._flush()
        exchange.pump()
        return exchange

    def leave(self) -> None:
        """Take no more requests, and close when none is under way."""
        if not self._is_leaving:
            self._is_leaving = True
            self._lost(self)
        if not self._exchanges:
            self._transport.close()

    # What an exchange calls.

    def room(self, exchange: Exchange) -> int:
        if not self._can_write:
            return 0
        try:
            return min(self._h2.local_flow_control_window(exchange.number), self._h2.max_outbound_frame_size)
        except ProtocolError:
            return 0

    def send(self, exchange: Exchange, piece: bytes, *, is_last: bool) -> None:
        with contextlib.suppress(ProtocolError):  # closed meanwhile: that is told on its own
            self._h2.send_data(exchange.number, piece, end_stream=is_last)
        self._flush()

    def acknowledge(self, exchange: Exchange, count: int) -> None:
        with contextlib.suppress(ProtocolError):
            self._h2.acknowledge_received_data(count, exchange.number)
        self._flush()

    def reset(self, exchange: Exchange, code: ErrorCodes) -> None:
        if exchange.number in self._exchanges:
            with contextlib.suppress(ProtocolError):
                self._h2.reset_stream(exchange.number, code)
            self._flush()

    def has_sent(self, exchange: Exchange) -> bool:
        """All of the request is out; of one that was answered before, the rest is not wanted."""
        return exchange.number not in self._h2.streams or self._h2.streams[exchange.number].closed

    def forget(self, exchange: Exchange) -> None:
        if self._exchanges.pop(exchange.number, None) is None or self._exchanges:
            return
        self.idle_since = asyncio.get_running_loop().time()
        if self._is_leaving:
            self._transport.close()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=64 * 1024)
        self._h2.local_settings = Settings(
            client=True,
            initial_values={
                SettingCodes.ENABLE_PUSH: 0,
                SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW,
                SettingCodes.MAX_CONCURRENT_STREAMS: MOST_AT_ONCE,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_LIMIT,
            },
        )
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(CONNECTION_WINDOW - FIRST_WINDOW)
        self._flush()

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except ProtocolError as problem:
            self._flush()
            self._end(f"not HTTP/2: {problem}")
            return
        for event in events:
            self._take(event)
        self._flush()

    def eof_received(self) -> bool | None:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("" if exc is None else "reset")

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        self._pump_all()

    # Inside.

    def _take(self, event: Event) -> None:
        if isinstance(event, ConnectionTerminated):
            self._take_leave(event)
        elif isinstance(event, RemoteSettingsChanged) or (isinstance(event, WindowUpdated) and event.stream_id == 0):
            self._pump_all()
        else:
            exchange = self._exchanges.get(getattr(event, "stream_id", None) or 0)
            if exchange is not None:
                take_for(exchange, event)

    def _take_leave(self, event: ConnectionTerminated) -> None:
        last = event.last_stream_id or 0
        for exchange in [found for number, found in self._exchanges.items() if number > last]:
            failure = exchange.broken("the provider closes this connection and did not take the request")
            failure.unseen = not exchange.has_begun
            exchange.fail(failure)
        self.leave()

    def _pump_all(self) -> None:
        for exchange in list(self._exchanges.values()):
            exchange.pump()

    def _end(self, reason: str) -> None:
        """Nothing more comes."""
        for exchange in list(self._exchanges.values()):
            if reason == "reset":
                exchange.fail(ReadBroken("connection reset", "body" if exchange.has_begun else "headers"))
            else:
                where = "inside" if exchange.has_begun else "before"
                exchange.fail(exchange.broken(reason or f"closed {where} the answer"))
        self.leave()

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)


def take_for(exchange: Exchange, event: Event) -> None:
    if isinstance(event, ResponseReceived):
        exchange.head_came(event.headers)
    elif isinstance(event, DataReceived):
        exchange.data_came(event)
    elif isinstance(event, StreamEnded):
        exchange.ended()
    elif isinstance(event, WindowUpdated):
        exchange.pump()
    elif isinstance(event, StreamReset):
        failure = exchange.broken(f"the provider reset the stream: {name_of(event.error_code)}")
        failure.unseen = event.error_code == ErrorCodes.REFUSED_STREAM and not exchange.has_begun
        exchange.fail(failure)


def name_of(code: ErrorCodes | int) -> str:
    return code.name if isinstance(code, ErrorCodes) else f"error {code}"


def head_of(method: str, target: bytes, pairs: HeaderPairs) -> HeaderPairs:
    """The head in HTTP/2's form: names in lower case, `Host` as `:authority`, without what belongs to a connection of
    HTTP/1.1. Raises UnsendableRequest."""
    lower = [(name.lower(), value) for name, value in pairs]
    authority = next((value for name, value in lower if name == b"host"), b"")
    head = [(b":method", method.encode()), (b":scheme", b"https"), (b":authority", authority), (b":path", target)]
    head += [
        cast("tuple[bytes, bytes]", NeverIndexedHeaderTuple(name, value)) if name in SECRET else (name, value)
        for name, value in lower
        if name not in OF_ONE_CONNECTION
    ]
    if any(mark in part for pair in head for part in pair for mark in (b"\r", b"\n", b"\0")) or b" " in target:
        raise UnsendableRequest("a line break in a header, or a blank in the target", "write")
    return head
