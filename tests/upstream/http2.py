"""A provider that speaks HTTP/2 over TLS: real sockets, h2's state machine, and scripts for what may go wrong.

`async with Http2Provider(context) as provider:`; `provider.script = handler` decides what is answered, `provider.asked`
holds every request that came whole, `provider.resets` the streams that the caller gave up.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, WindowUpdated
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

EVENTS = [b'event: message_start\ndata: {"n":0}\n\n', b'event: ping\ndata: {"type": "ping"}\n\n', b"data: [DONE]\n\n"]


class Asked:
    """One request and the means to answer it."""

    def __init__(self, line: Line, number: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.line = line
        self.number = number
        self.headers = headers
        self.body = b""
        self.whole = asyncio.Event()
        self.window = asyncio.Event()
        self.code: int | None = None
        """With which the caller reset it."""

    def named(self, name: bytes) -> bytes | None:
        return dict(self.headers).get(name)

    def head(self, status: int = 200, *more: tuple[bytes, bytes], end: bool = False) -> None:
        head = [(b":status", str(status).encode()), (b"content-type", b"text/event-stream"), *more]
        self.line.h2.send_headers(self.number, head, end_stream=end)
        self.line.flush()

    async def send(self, data: bytes, *, end: bool = False) -> None:
        """As far as the caller's window reaches, then waiting for it. Ends when the caller resets."""
        left = data
        while (left or end) and self.code is None:
            room = min(self.line.h2.local_flow_control_window(self.number), self.line.h2.max_outbound_frame_size)
            if left and room <= 0:
                self.window.clear()
                await self.window.wait()
                continue
            piece, left = left[:room], left[room:]
            self.line.h2.send_data(self.number, piece, end_stream=end and not left)
            self.line.flush()
            if not left:
                return

    def reset(self, code: ErrorCodes) -> None:
        self.line.h2.reset_stream(self.number, code)
        self.line.flush()


Script = Callable[[Asked], Awaitable[None]]


async def stream(asked: Asked) -> None:
    await asked.whole.wait()
    asked.head()
    for event in EVENTS[:-1]:
        await asked.send(event)
    await asked.send(EVENTS[-1], end=True)


class OneByOne:
    """A script: the next event goes out when the one before was taken (`taken.set()`)."""

    def __init__(self) -> None:
        self.taken = asyncio.Event()

    async def __call__(self, asked: Asked) -> None:
        asked.head()
        for event in EVENTS:
            self.taken.clear()
            await asked.send(event)
            await self.taken.wait()
        await asked.send(b"", end=True)


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, provider: Http2Provider) -> None:
        self.provider = provider
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.open: dict[int, Asked] = {}
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.provider.lines.append(self)
        most = {SettingCodes.MAX_CONCURRENT_STREAMS: self.provider.at_once}
        self.h2.local_settings = Settings(client=False, initial_values=most)
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            self.transport.close()
            return
        for event in events:
            self.take(event)
        self.flush()

    def take(self, event: Any) -> None:
        asked = self.open.get(getattr(event, "stream_id", 0))
        if isinstance(event, RequestReceived):
            asked = self.open[event.stream_id] = Asked(self, event.stream_id, event.headers)
            self.provider.start(asked)
        elif isinstance(event, DataReceived) and asked is not None:
            asked.body += event.data
            if self.provider.takes_uploads:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded) and asked is not None:
            self.provider.asked.append(asked)
            asked.whole.set()
        elif isinstance(event, StreamReset) and asked is not None:
            asked.code = int(event.error_code)
            asked.window.set()
            self.provider.resets.append(asked)
        elif isinstance(event, WindowUpdated):
            for each in self.open.values() if event.stream_id == 0 else filter(None, [asked]):
                each.window.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.provider.lines.remove(self)

    def goaway(self, last: int, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Sent as a frame alone, so that streams may go on: h2 itself would end them."""
        payload = last.to_bytes(4, "big") + int(code).to_bytes(4, "big")
        self.transport.write(len(payload).to_bytes(3, "big") + b"\x07\x00" + bytes(4) + payload)

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)


class Http2Provider:
    """`at_once`: how many streams it allows on a connection."""

    def __init__(self, tls: ssl.SSLContext, at_once: int = 100) -> None:
        tls.set_alpn_protocols(["h2"])
        self._tls = tls
        self.at_once = at_once
        self.takes_uploads = True
        self.script: Script = stream
        self.asked: list[Asked] = []
        self.resets: list[Asked] = []
        self.lines: list[Line] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(self._line, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        for line in list(self.lines):
            line.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def _line(self) -> Line:
        self.connections += 1
        return Line(self)

    def start(self, asked: Asked) -> None:
        async def answer() -> None:
            with contextlib.suppress(ProtocolError):
                await self.script(asked)

        task = asyncio.get_running_loop().create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
