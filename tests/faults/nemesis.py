"""What goes wrong: signals to processes by pid, PostgreSQL held or locked, a TCP proxy that misbehaves, a full disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil


def kill(process: psutil.Process) -> None:
    send(process, signal.SIGKILL)


def send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def family(process: psutil.Process) -> list[psutil.Process]:
    """The process and what it started: for PostgreSQL, its backends."""
    return [process, *process.children(recursive=True)]


@contextlib.contextmanager
def stopped(process: psutil.Process) -> Iterator[None]:
    """SIGSTOP for the duration, children included: there, but deaf."""
    frozen = family(process)
    for one in frozen:
        send(one, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in frozen:
            send(one, signal.SIGCONT)


@contextlib.contextmanager
def held_postgres(data_dir: Path) -> Iterator[None]:
    """The supervisor keeps PostgreSQL stopped for the duration."""
    hold = data_dir / "postgres" / "hold"
    hold.touch()
    try:
        yield
    finally:
        hold.unlink(missing_ok=True)


class CannotMount(RuntimeError):
    """This machine does not let us mount a small disk."""


@contextlib.contextmanager
def small_disk(place: Path, megabytes: int) -> Iterator[Path]:
    """A tmpfs of that size at `place`; raises CannotMount."""
    place.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "turnlog-faults", str(place)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CannotMount(done.stderr.strip())
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


def fill(place: Path, leave: int = 0) -> Path:
    """A file that takes all room of the disk but `leave` bytes."""
    ballast = place / "ballast"
    room = os.statvfs(place)
    left = room.f_bavail * room.f_frsize - leave
    with ballast.open("wb", buffering=0) as file:
        block = bytes(1024 * 1024)
        with contextlib.suppress(OSError):
            while left > 0:
                left -= file.write(block[: min(left, len(block))])
    return ballast


class FaultProxy:
    """A TCP proxy to `target`, whose `mode` may change at any time: pass, refuse, reset, black_hole.

    `latency` seconds before each piece; `cut_after` bytes of answers per connection, then RST.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.mode = "pass"
        self.latency = 0.0
        self.cut_after: int | None = None
        self.port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> FaultProxy:
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop_listening()
        for writer in list(self._writers):
            writer.transport.abort()

    async def turn(self, mode: str) -> None:
        """Change the mode; connections that are open end with it, except in mode pass."""
        self.mode = mode
        if mode == "refuse":
            self._stop_listening()
        elif self._server is None:
            await self._listen()
        if mode in ("refuse", "reset"):
            for writer in list(self._writers):
                reset(writer)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.mode == "reset":
                reset(writer)
            elif self.mode == "black_hole":
                while await reader.read(65_536):
                    pass
            else:
                await self._relay(reader, writer)
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self.target)
        self._writers.add(far_writer)
        both = [
            asyncio.create_task(self._pump(reader, far_writer, None)),
            asyncio.create_task(self._pump(far_reader, writer, self.cut_after)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            self._writers.discard(far_writer)
            far_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut_after: int | None) -> None:
        passed = 0
        while data := await reader.read(65_536):
            if self.latency:
                await asyncio.sleep(self.latency)
            if cut_after is not None and passed + len(data) >= cut_after:
                writer.write(data[: cut_after - passed])
                await writer.drain()
                await asyncio.sleep(0.05)  # RST throws away what is under way
                reset(writer)
                return
            passed += len(data)
            writer.write(data)
            await writer.drain()


def reset(writer: asyncio.StreamWriter) -> None:
    held = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def deaf_port() -> Iterator[int]:
    """A port whose connections never come about: its backlog is full and nobody accepts."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[1]
