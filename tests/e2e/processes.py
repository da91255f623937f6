"""The real processes the end-to-end tests drive: `manage.py web`, and the fake provider on a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil

from tests.upstream import FakeProvider, SeenRequest, SentResponse

ROOT = Path(__file__).resolve().parents[2]
STARTED = re.compile(r"(?:listening on|development server at) (https?)://([^\s]+):(\d+)")
START_SECONDS = 120.0
"""A start takes seconds; no test is about it, and the machine may have other things to do."""
T = TypeVar("T")


def until(condition: Callable[[], T], seconds: float = 60.0, what: str = "the condition", every: float = 0.01) -> T:
    """Poll until `condition` gives something true, `every` so many seconds; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(every)


class ProviderThread:
    """A provider that outlives the event loops of single tests; a FakeProvider where none is given."""

    def __init__(self, provider: Any = None) -> None:
        self.provider = provider or FakeProvider()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stopped: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._stopped = asyncio.Event()
        async with self.provider:
            self._ready.set()
            await self._stopped.wait()

    def __enter__(self) -> Any:
        self._thread.start()
        assert self._ready.wait(60)
        return self.provider

    def __exit__(self, *_: object) -> None:
        assert self._stopped is not None
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)


class WebProcess:
    """One `manage.py web` on a free port of loopback. `output` is what it wrote so far."""

    def __init__(self, directory: Path, database_url: str, **environment: str) -> None:
        self.directory = directory
        self.data_dir = directory / "data"
        self.log = directory / "web.log"
        self.scheme, self.host, self.port = "http", "", 0
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TURNLOG_")}
        self.environment = kept | {
            "TURNLOG_DATA_DIR": str(self.data_dir),
            "DATABASE_URL": database_url,
            "PYTHONUNBUFFERED": "1",
            "TURNLOG_DRAIN_GRACE": "0",
            # A provider's books hold what a test asked, and nothing else.
            "TURNLOG_MODEL_REFRESH": "0",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._began_at = 0
        """Where in the log the last start begins: an earlier one named another port."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self, *arguments: str, command: str = "web") -> None:
        with self.log.open("ab") as log:
            self._began_at = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", command, *(arguments or ("--port", "0"))],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        until(self._has_started, START_SECONDS, f"the start of {command}")

    def _has_started(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"web ended with {self.process.returncode}:\n{self.output}"
        match = STARTED.search(self.log.read_bytes()[self._began_at :].decode(errors="replace"))
        if match is None:
            return False
        self.scheme, self.host, self.port = match[1], match[2], int(match[3])
        try:
            socket.create_connection((self.host, self.port), 1).close()
        except ConnectionRefusedError:
            return False
        return True

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = 15) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGINT)
        try:
            self.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError(f"web did not end:\n{self.output}") from None


@contextlib.contextmanager
def running_web(directory: Path, database_url: str, **environment: Any) -> Iterator[WebProcess]:
    web = WebProcess(directory, database_url, **environment)
    try:
        web.start()
        yield web
    finally:
        web.stop()


@contextlib.contextmanager
def beside(web: WebProcess, command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process of the same gateway: its loader, its worker."""
    with (web.directory / f"{command}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", command], cwd=ROOT, env=web.environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(90)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """With all its children, at once."""
    family = [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]
    for process in family:
        process.kill()
    worker.wait()


def last_request(provider: FakeProvider) -> SeenRequest:
    return until(lambda: provider.requests and provider.requests[-1], what="a request at the provider")


def last_response(provider: FakeProvider) -> SentResponse:
    """What the provider sent to its last request. Its books are written when all has been sent, or it was given up."""
    number = last_request(provider).number

    def noted() -> SentResponse | None:
        return next((sent for sent in list(provider.responses) if sent.number == number), None)

    sent = until(noted, what="the provider's note of its answer")
    assert sent is not None
    return sent
