"""Processes the bench starts and ends: each with a log, and ready once it said where it listens."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.usage import pin

ROOT = Path(__file__).parents[1]
LISTENING = re.compile(rb"listening (?:on http://[^\s]*:)?(\d+)")
START_SECONDS = 60.0
STOP_SECONDS = 30.0


class ChildFailed(Exception):
    """A process ended or did not get ready; the message has the end of its log."""


def clean_environment(**values: str) -> dict[str, str]:
    """This process's environment without any of Turnlog's settings, and `values`."""
    foreign = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TURNLOG_")}
    return {name: value for name, value in kept.items() if name not in foreign} | {"PYTHONUNBUFFERED": "1"} | values


@contextlib.contextmanager
def started(
    command: Sequence[str], log: Path, *, core: int | None, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process on one core for the duration; SIGTERM ends it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else clean_environment(),
        )  # fmt: skip
    pin(process.pid, core)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def announced_port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port it says it listens on."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = LISTENING.search(log.read_bytes())
        if found:
            return int(found[1])
        refuse_dead(process, log)
        time.sleep(0.02)
    raise ChildFailed(f"{log.stem} did not say where it listens:\n{last_words(log)}")


def wait_listening(process: subprocess.Popen[bytes], log: Path, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        refuse_dead(process, log)
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    raise ChildFailed(f"{log.stem} does not listen on {port}:\n{last_words(log)}")


def refuse_dead(process: subprocess.Popen[bytes], log: Path) -> None:
    if process.poll() is not None:
        raise ChildFailed(f"{log.stem} ended with {process.returncode}:\n{last_words(log)}")


def last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
