"""The load client: raw sockets, an id of its own in every request, and a line of its own book for every answer.

It believes nothing the gateway says about itself: what it notes is what arrived, and how the connection ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

Pairs = list[tuple[bytes, bytes]]
ID_HEADER = b"x-client-request-id"
READ_SIZE = 65_536
HEAD_BOUND = 512 * 1024
KEY: Pairs = [(b"x-api-key", b"sk-ant-the-callers-own"), (b"anthropic-version", b"2023-06-01")]
STREAM_BODY = b'{"model":"claude-opus-5-5","max_tokens":64,"stream":true,"messages":[{"role":"user","content":"hi"}]}'
WHOLE_BODY = STREAM_BODY.replace(b'"stream":true,', b"")


@dataclass
class Received:
    """One answer as it arrived. `ending`: whole (as its framing says), cut (before), silent (no byte of an answer),
    refused (no connection), left (we went). Times in seconds: `at` wall clock, the others since the request."""

    id: str
    at: float
    request_sha256: str
    status: int = 0
    bytes: int = 0
    sha256: str = ""
    first_byte: float | None = None
    seconds: float = 0.0
    ending: str = "silent"
    problem: str = ""
    headers: Pairs = field(default_factory=list)
    body: bytes = b""
    arrivals: list[tuple[float, int]] = field(default_factory=list)
    """(seconds, bytes so far) at each read."""
    began: float = 0.0
    """The machine's monotonic time of the request."""

    @property
    def ok(self) -> bool:
        return self.ending == "whole" and self.status == 200

    def header(self, name: bytes) -> bytes | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    def line(self) -> str:
        kept = {key: value for key, value in asdict(self).items() if key not in ("headers", "body", "arrivals")}
        return json.dumps(kept)


class Cut(Exception):
    """The connection ended before the answer's framing says it is over."""


@dataclass
class Reading:
    """How an answer is read: at most `rate` bytes a second (0: at once), until `stop` says that it is enough."""

    rate: int = 0
    stop: Callable[[Received], bool] | None = None
    half_close: bool = False
    receive_buffer: int = 0
    keep: bool = False


class Connection:
    """One connection; `ask` may be called again while `reusable`."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._kept = False
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def reusable(self) -> bool:
        """Whether it was kept, and the other side has not closed it since: every pool looks first."""
        return self._kept and self._reader is not None and not self._reader.at_eof()

    async def open(self, receive_buffer: int = 0) -> None:
        held = socket.socket()
        try:
            if receive_buffer:
                held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            held.setblocking(False)
            await asyncio.get_running_loop().sock_connect(held, (self.host, self.port))
            held.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._reader, self._writer = await asyncio.open_connection(sock=held, limit=HEAD_BOUND)
        except BaseException:
            held.close()
            raise

    def close(self) -> None:
        self._kept = False
        if self._writer is not None:
            self._writer.transport.abort()

    async def exchange(self, request: bytes, noted: Received, reading: Reading) -> None:
        """Send and read; raises OSError, Cut. What arrived until then is in `noted`."""
        reader, writer = self._reader, self._writer
        assert reader is not None
        assert writer is not None
        began = noted.began = time.monotonic()
        self._kept = False
        body = Body(noted, reading, began)
        try:
            writer.write(request)
            await writer.drain()
            if reading.half_close:
                writer.write_eof()
            noted.status, noted.headers = await read_head(reader)
            await read_body(reader, noted, body)
        except asyncio.IncompleteReadError:
            raise Cut from None
        finally:
            body.finish()
            noted.seconds = time.monotonic() - began
        self._kept = (noted.header(b"connection") or b"").lower() != b"close" and noted.ending == "whole"


class Body:
    """Takes the pieces of an answer's body."""

    def __init__(self, noted: Received, reading: Reading, began: float) -> None:
        self.noted, self.reading, self.began = noted, reading, began
        self.digest = hashlib.sha256()
        self.pieces: list[bytes] = []

    async def take(self, data: bytes) -> bool:
        """False when it is enough."""
        noted = self.noted
        now = time.monotonic() - self.began
        if noted.first_byte is None:
            noted.first_byte = now
        noted.bytes += len(data)
        self.digest.update(data)
        noted.arrivals.append((now, noted.bytes))
        if self.reading.keep:
            self.pieces.append(data)
        if self.reading.rate:
            await asyncio.sleep(len(data) / self.reading.rate)
        return self.reading.stop is None or not self.reading.stop(noted)

    def finish(self) -> None:
        self.noted.sha256 = self.digest.hexdigest()
        self.noted.body = b"".join(self.pieces)


async def read_head(reader: asyncio.StreamReader) -> tuple[int, Pairs]:
    while True:
        block = await reader.readuntil(b"\r\n\r\n")
        first, *lines = block[:-4].split(b"\r\n")
        status = int(first.split(b" ")[1])
        if status >= 200:
            pairs = [tuple(part.strip() for part in line.split(b":", 1)) for line in lines]
            return status, pairs  # type: ignore[return-value]


async def read_body(reader: asyncio.StreamReader, noted: Received, body: Body) -> None:
    length = noted.header(b"content-length")
    if (noted.header(b"transfer-encoding") or b"").lower() == b"chunked":
        enough = await read_chunks(reader, body)
    elif length is not None:
        enough = await read_exactly(reader, int(length), body)
    else:
        enough = False
        while data := await reader.read(READ_SIZE):
            if not await body.take(data):
                enough = True
                break
    noted.ending = "left" if enough else "whole"


async def read_chunks(reader: asyncio.StreamReader, body: Body) -> bool:
    """True when `body` had enough before the end."""
    while True:
        size = int((await reader.readuntil(b"\r\n"))[:-2], 16)
        if size == 0:
            await reader.readuntil(b"\r\n")
            return False
        if await read_exactly(reader, size, body):
            return True
        await reader.readexactly(2)


async def read_exactly(reader: asyncio.StreamReader, size: int, body: Body) -> bool:
    piece = min(READ_SIZE, body.reading.rate // 4) if body.reading.rate else READ_SIZE
    while size:
        data = await reader.read(min(size, piece))
        if not data:
            raise Cut
        size -= len(data)
        if not await body.take(data):
            return True
    return False


class LoadClient:
    """`received` is its book, `path` the same as JSON lines. Ids are unique in all runs."""

    def __init__(self, host: str, port: int, path: Path) -> None:
        self.host, self.port, self.path = host, port, path
        self.received: list[Received] = []
        self._numbers = itertools.count()
        self._mark = f"{time.time_ns():x}"

    def new_id(self) -> str:
        return f"fault-{self._mark}-{next(self._numbers):06d}"

    async def ask(
        self,
        scenario: str = "text",
        *,
        method: str = "POST",
        target: str = "/v1/messages",
        body: bytes = STREAM_BODY,
        headers: Pairs = KEY,
        reading: Reading | None = None,
        connection: Connection | None = None,
        id: str | None = None,
    ) -> Received:
        """One request; never raises for what the other side does. A connection that is given is used again."""
        reading = reading or Reading()
        noted = Received(id or self.new_id(), time.time(), hashlib.sha256(body).hexdigest())
        pairs = [(ID_HEADER, noted.id.encode()), (b"content-type", b"application/json"), *headers]
        if scenario:
            pairs.append((b"x-scenario", scenario.encode()))
        used = connection or Connection(self.host, self.port)
        try:
            if not used.reusable:
                used.close()
                await used.open(reading.receive_buffer)
            await used.exchange(encode(method, target, pairs, body, self.host, self.port), noted, reading)
        except (ConnectionRefusedError, TimeoutError) as error:
            noted.ending, noted.problem = "refused", repr(error)
        except (OSError, Cut) as error:
            noted.ending, noted.problem = "cut" if noted.status else "silent", repr(error)
        except asyncio.CancelledError:
            noted.ending = "left"
            raise
        finally:
            if connection is None or not used.reusable:
                used.close()
            self.note(noted)
        return noted

    def note(self, noted: Received) -> None:
        self.received.append(noted)
        with self.path.open("a") as file:
            file.write(noted.line() + "\n")

    async def many(self, count: int, ask: Callable[[int], Awaitable[Received]], at_once: int = 200) -> list[Received]:
        gate = asyncio.Semaphore(at_once)

        async def one(number: int) -> Received:
            async with gate:
                return await ask(number)

        return list(await asyncio.gather(*(one(number) for number in range(count))))

    async def keep_asking(
        self, over: asyncio.Event, scenarios: Iterable[str], workers: int, pause: float = 0.0
    ) -> list[Received]:
        """`workers` clients ask one request after the other, taking the scenarios in turn, until `over`."""
        turn = itertools.cycle(scenarios)

        async def work() -> list[Received]:
            answers = []
            while not over.is_set():
                answers.append(await self.ask(next(turn)))
                await asyncio.sleep(pause)
            return answers

        return [answer for part in await asyncio.gather(*(work() for _ in range(workers))) for answer in part]


def encode(method: str, target: str, headers: Pairs, body: bytes, host: str, port: int) -> bytes:
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1"), f"Host: {host}:{port}".encode()]
    lines += [name + b": " + value for name, value in headers]
    if body or method == "POST":
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
