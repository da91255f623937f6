"""`manage.py` commands as real processes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

TREE = Path(__file__).resolve().parents[2]
MANAGE = TREE / "manage.py"


def environment_for(data_dir: Path, **variables: str) -> dict[str, str]:
    """The environment of a process on its own embedded server, with nothing of the test run's."""
    strange = ("TURNLOG_", "DATABASE_URL", "REDIS_URL", "PYTEST_", "DJANGO_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
    return own | {"TURNLOG_DATA_DIR": str(data_dir), "TURNLOG_PORT": "0"} | variables


def manage(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(MANAGE), *arguments],
        env=environment_for(data_dir, **variables),
        capture_output=True,
        text=True,
        timeout=60,
    )


class Running:
    """A command that goes on, of this tree or another. `output` grows while it runs."""

    def __init__(self, data_dir: Path, *arguments: str, tree: Path = TREE, **variables: str) -> None:
        self.data_dir = data_dir
        self.lines: list[str] = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, str(tree / "manage.py"), *arguments],
            env=environment_for(data_dir, **variables),
            cwd=tree,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A shell that started the tests in the background has it ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def wait_for(self, pattern: str, seconds: float = 90.0, *, since: int = 0) -> re.Match[str]:
        """The first match in the output from character `since` on."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not (found := re.search(pattern, self.output[since:])):
                left = deadline - time.monotonic()
                assert left > 0, f"{pattern!r} was not printed:\n{self.output}"
                assert self.process.poll() is None, f"it ended without printing {pattern!r}:\n{self.output}"
                self.changed.wait(min(left, 0.2))
        return found

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = 60.0) -> int:
        status = self.process.wait(seconds)
        self.reader.join(10)
        return status

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def child(self, word: str) -> psutil.Process:
        """The child with this word among its arguments."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for child in self.children():
                with contextlib.suppress(psutil.Error):
                    if any(part == word or part.endswith(f"/{word}") for part in child.cmdline()):
                        return child
            time.sleep(0.02)
        raise AssertionError(f"there is no child {word}:\n{self.output}")


@contextlib.contextmanager
def running(data_dir: Path, *arguments: str, tree: Path = TREE, **variables: str) -> Iterator[Running]:
    """Ended with everything it started, however the test ends."""
    command = Running(data_dir, *arguments, tree=tree, **variables)
    try:
        yield command
    finally:
        family = processes_on(data_dir)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)
        command.wait()
        assert command.process.stdout is not None
        command.process.stdout.close()


def processes_on(data_dir: Path) -> list[psutil.Process]:
    """Everything that runs on this data directory: by its arguments, or by the variable that names it."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and belongs(process, str(data_dir)):
                found.append(process)
    return found


def belongs(process: psutil.Process, data_dir: str) -> bool:
    arguments: list[str] = process.cmdline()
    if any(part.startswith(data_dir) for part in arguments):
        return True
    environ: dict[str, str] = process.environ()
    return environ.get("TURNLOG_DATA_DIR") == data_dir


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.02)


def wait_until_nothing_runs(data_dir: Path, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while left := processes_on(data_dir):
        assert time.monotonic() < deadline, f"still there: {[process.cmdline() for process in left]}"
        time.sleep(0.02)


def fetch(url: str, **options: Any) -> tuple[int, bytes]:
    with urllib.request.urlopen(urllib.request.Request(url, **options), timeout=20) as response:
        return response.status, response.read()
