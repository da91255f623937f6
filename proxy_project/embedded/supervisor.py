"""One process that keeps PostgreSQL, `web`, `loader` and `worker` running, and ends them in the right order.

The first SIGINT or SIGTERM drains: `web` first, which waits for running requests, then `loader`, which empties the
spool, then PostgreSQL; `worker`, for which nothing waits, is told to end meanwhile. The second ends everything at once.
Everything runs on one thread: `run` looks after all parts ten times a second, and a second signal interrupts whatever
it is doing by an exception.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from proxy_project.command_line import SUPERVISED
from proxy_project.embedded.child import Child
from proxy_project.embedded.leftovers import record_children
from proxy_project.embedded.listening import answers
from proxy_project.embedded.refusal import StartRefused
from proxy_project.embedded.server import SupervisedPostgres
from proxy_project.embedded.voice import say
from proxy_project.environment import Environment

TICK_SECONDS = 0.1
WEB_START_SECONDS = 60.0
LOADER_STOP_SECONDS = 120.0
WORKER_STOP_SECONDS = 30.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndNow(BaseException):
    """Raised by a signal where ending cannot wait: the second one, or any before everything is up."""


class Supervisor:
    """`manage` is the path of manage.py; `listener` the bound socket the web processes share; `chores` is called
    on every round while nothing drains."""

    def __init__(
        self, environment: Environment, manage: Path, listener: socket.socket, postgres: SupervisedPostgres | None
    ) -> None:
        self.environment = environment
        self.listener = listener
        self.postgres = postgres
        self.signals = 0
        self.started = self.interrupted = False
        self.chores: Callable[[], None] = nothing
        self.record = environment.data_dir / "children.json"
        self.webs = [self.child(manage, name, "web", listener) for name in self.web_names()]
        self.loader = self.child(manage, "loader", "loader")
        self.worker = self.child(manage, "worker", "worker")

    def web_names(self) -> list[str]:
        count = self.environment.web_processes
        return ["web"] if count == 1 else [f"web {number}" for number in range(1, count + 1)]

    def child(self, manage: Path, name: str, command: str, listener: socket.socket | None = None) -> Child:
        environ = dict(os.environ) | {SUPERVISED: "1", "TURNLOG_DATA_DIR": str(self.environment.data_dir)}
        environ["PYTHONUNBUFFERED"] = "1"
        arguments = [sys.executable, str(manage), command]
        if listener is None:
            return Child(name, arguments, environ)
        environ["TURNLOG_DRAIN_GRACE"] = f"{self.environment.drain_grace:g}"
        environ["TURNLOG_PORT"] = str(listener.getsockname()[1])
        return Child(name, [*arguments, "--fd", str(listener.fileno())], environ, [listener.fileno()])

    @property
    def children(self) -> list[Child]:
        return [*self.webs, self.loader, self.worker]

    def listen_to_signals(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self.on_signal)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        self.signals += 1
        if not self.interrupted and (self.signals > 1 or not self.started):
            self.interrupted = True
            raise EndNow(signal.Signals(number).name)

    def start(self) -> None:
        """Return when the gateway answers. Raises StartRefused when a web process ends instead."""
        for child in self.children:
            child.start()
        self.write_record()
        deadline = time.monotonic() + WEB_START_SECONDS
        while not answers(self.listener, 1.0, tls=self.environment.speaks_tls):
            for web in self.webs:
                ended = web.take_end()
                if ended:
                    raise StartRefused(f"{web.name} ended with {ended} instead of starting; it says why above")
            if time.monotonic() > deadline:
                raise StartRefused(f"the gateway did not answer within {WEB_START_SECONDS:.0f} s")
            time.sleep(0.02)
        self.started = True

    def run(self) -> None:
        """Look after everything until the first signal, then drain."""
        while not self.signals:
            self.tend(self.children)
            self.chores()
            time.sleep(TICK_SECONDS)
        self.drain()

    def tend(self, children: Sequence[Child]) -> None:
        if self.postgres is not None:
            self.postgres.tend()
        for child in children:
            self.revive(child)

    def revive(self, child: Child) -> None:
        now = time.monotonic()
        pid = child.pid
        ended = child.take_end()
        if ended:
            delay = child.back_off.ended(now)
            say(f"{child.name} (process {pid}) ended with {ended}; starting it again in {delay:g} s")
        elif child.process is None and now >= child.back_off.due_at:
            child.start()
            self.write_record()
            say(f"{child.name} is process {child.pid}")

    def write_record(self) -> None:
        record_children(self.record, [child.pid for child in self.children if child.pid])

    def drain(self) -> None:
        # Closed first: a new client is refused rather than left waiting for an answer that cannot come.
        self.listener.close()
        say("draining: waiting for running requests to end; once more ends everything at once")
        patience = self.environment.drain_grace + self.environment.drain_seconds + 15.0
        # Nothing waits for the worker, and it takes seconds to notice: it is told first, and looked for last.
        self.worker.terminate()
        self.finish(self.webs, patience, [self.loader])
        self.finish([self.loader], LOADER_STOP_SECONDS, [])
        self.finish([self.worker], WORKER_STOP_SECONDS, [])
        if self.postgres is not None:
            self.postgres.stop()
        self.record.unlink(missing_ok=True)
        say("stopped")

    def finish(self, children: Sequence[Child], patience: float, others: Sequence[Child]) -> None:
        for child in children:
            child.terminate()
        deadline = time.monotonic() + patience
        while any(child.alive() for child in children):
            if time.monotonic() > deadline:
                say(f"{children[0].name} did not end within {patience:g} s and is killed")
                break
            self.tend(others)
            time.sleep(TICK_SECONDS / 5)
        for child in children:
            child.kill()

    def end_now(self) -> None:
        """Nothing is left running, whatever state it was in."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self.listener.close()
        for child in self.children:
            child.kill()
        if self.postgres is not None:
            self.postgres.stop(seconds=5.0)
        self.record.unlink(missing_ok=True)


def nothing() -> None:
    return


def ending(supervisor: Supervisor, work: Callable[[], None]) -> int:
    """Do the work; whatever interrupts it, nothing is left running. Returns the exit status."""
    try:
        work()
    except EndNow as told:
        supervisor.end_now()
        say(f"ended at once ({told})")
        return 130
    except StartRefused as refusal:
        supervisor.end_now()
        say(f"Turnlog does not start: {refusal}")
        return 1
    except BaseException:
        supervisor.end_now()
        raise
    return 0
