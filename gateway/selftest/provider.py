"""The built-in provider of the self-test: on a port of loopback, it answers with the bytes of a scenario and keeps what
it was asked, and when it sent each piece."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

import h11

from gateway.selftest.scenarios import PIECE_SECONDS, Scenario

READ_BYTES = 65_536


@dataclass(slots=True)
class Asked:
    """`sent` are the monotonic times at which the pieces of the answer went out."""

    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes
    sent: list[float] = field(default_factory=list)


class FakeProvider:
    """An asynchronous context: it listens while it lasts. `scenario` is what it plays next."""

    def __init__(self) -> None:
        self.scenario: Scenario | None = None
        self.asked: list[Asked] = []
        self._server: asyncio.Server | None = None
        self._playing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exception: object) -> None:
        assert self._server is not None
        self._server.close()
        if self._playing:
            await asyncio.wait(self._playing, timeout=1)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)
        try:
            asked = await read_request(reader)
            if asked is not None and self.scenario is not None:
                self.asked.append(asked)
                await play(self.scenario, asked, writer)
        except (OSError, h11.RemoteProtocolError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """None when the connection closes without one."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=READ_BYTES)
    asked: Asked | None = None
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(READ_BYTES))
        elif isinstance(event, h11.Request):
            asked = Asked(event.target, [(bytes(name), bytes(value)) for name, value in event.headers], b"")
        elif isinstance(event, h11.Data) and asked is not None:
            asked.body += bytes(event.data)
        else:
            return asked


async def play(scenario: Scenario, asked: Asked, writer: asyncio.StreamWriter) -> None:
    """In chunks, each a packet of its own as far as the kernel lets it."""
    head = [f"HTTP/1.1 {scenario.status} Selftest"]
    head += [f"{name}: {value}" for name, value in scenario.answer_headers]
    head += ["transfer-encoding: chunked", "connection: close", "", ""]
    writer.write("\r\n".join(head).encode("latin-1"))
    for piece in scenario.pieces:
        await asyncio.sleep(PIECE_SECONDS)
        asked.sent.append(monotonic())
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()
