"""What one row acts in: a directory, a fake provider, a gateway run as `manage.py run` does, load clients, the books.

Everything is a process of its own but the load client. The scene watches the reconciliation line from the start of the
gateway to its end; a row fails when it was wrong at any look.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.clients.processes import Provider, provider
from tests.embedded.commands import TREE, Running, environment_for, processes_on, running
from tests.faults.client import LoadClient
from tests.faults.console import Console
from tests.faults.registry import Failed, require

LOOK_SECONDS = 0.5
PATIENCE = 180.0
"""Seconds for the loader, where how long it takes is not the question."""
START_SECONDS = 240.0
"""A start takes seconds; no row is about it, and the machine may have other things to do."""
READY = re.compile(r"Turnlog is at http://([\d.]+):(\d+)")


async def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Look, on a thread of its own, until it is true; raises Failed."""
    deadline = time.monotonic() + seconds
    while True:
        value = await asyncio.to_thread(condition)
        if value:
            return value
        require(time.monotonic() < deadline, f"after {seconds:g} s still not: {what}")
        await asyncio.sleep(0.05)


class Balance:
    """Looks at the reconciliation line twice a second on a thread; `looks` holds every answer."""

    def __init__(self, console: Console, path: Path) -> None:
        self.looks: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self._console = console
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self._path.open("a") as file:
            stopping = False
            while not stopping:
                # One look is taken after the end too, so that a row that is over at once has one.
                stopping = self._stop.wait(LOOK_SECONDS)
                try:
                    look = self._console.ask("status")
                except (RuntimeError, OSError, ValueError) as error:
                    if not stopping:
                        self.problems.append(str(error))
                    return
                self.looks.append(look | {"at": time.time()})
                file.write(json.dumps(self.looks[-1]) + "\n")

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._console.close()

    def verdict(self) -> str:
        wrong = [look for look in self.looks if look["balanced"] is False]
        require(not self.problems, f"the reconciliation line could not be read: {self.problems[:1]}")
        require(not wrong, f"the reconciliation line was wrong {len(wrong)} times, first: {wrong[:1]}")
        known = sum(look["balanced"] is True for look in self.looks)
        return f"balanced at {known} looks" + (
            f", {len(self.looks) - known} without a database" if known < len(self.looks) else ""
        )


class Gateway:
    """A running supervisor and everything below it."""

    def __init__(self, run: Running, host: str, port: int, environment: dict[str, str], book: Path) -> None:
        self.run = run
        self.host, self.port = host, port
        self.data_dir = run.data_dir
        self.environment = environment
        self.console = Console(environment)
        self.balance = Balance(Console(environment), book)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def spool(self) -> Path:
        return self.data_dir / "spool"

    def webs(self) -> list[psutil.Process]:
        return [child for child in self.run.children() if "web" in arguments(child)]

    def process(self, word: str) -> psutil.Process:
        return self.run.child(word)

    def connect(self) -> psycopg.Connection[Any]:
        address = json.loads((self.data_dir / "postgres" / "address.json").read_text())
        return psycopg.connect(
            host=address["socket_directory"],
            port=address["port"],
            dbname=address["database"],
            user=address["user"],
            autocommit=True,
        )

    def status(self) -> dict[str, Any]:
        value: dict[str, Any] = self.console.ask("status")
        return value

    async def until_status(self, condition: Callable[[dict[str, Any]], bool], what: str, seconds: float = 30) -> Any:
        last: dict[str, Any] = {}

        def look() -> bool:
            last.clear()
            last.update(self.status())
            return condition(last)

        try:
            await until(look, what, seconds)
        except Failed as failed:
            raise Failed(f"{failed}; the line says {last}") from None
        return last

    async def settle(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """Wait until nothing is in flight and nothing spooled."""

        def settled(status: dict[str, Any]) -> bool:
            return status["database"] == "up" and not status["in_flight"] and not status["spooled"]

        found: dict[str, Any] = await self.until_status(settled, "everything is in the history", seconds)
        return found

    async def rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await asyncio.to_thread(self.console.ask, "rows")
        return found

    async def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 60) -> int:
        """Drain and end; the exit status."""
        self.balance.stop()
        self.run.signal(number)
        return await asyncio.to_thread(self.run.wait, seconds)

    async def crash(self) -> None:
        """Everything at once, as when the machine's power goes, but for the page cache."""
        self.balance.stop()
        end_supervisor(self.run)
        processes = processes_on(self.data_dir)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        await asyncio.to_thread(psutil.wait_procs, processes, 10)
        await asyncio.to_thread(self.run.wait, 10)

    def close(self) -> None:
        self.balance.stop()
        self.console.close()


def end_supervisor(run: Running) -> None:
    """First, or it starts again what is killed, after everything to be killed was listed."""
    if run.process.poll() is None:
        run.process.kill()
        run.process.wait()


def arguments(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()
    return []


class Scene:
    """`quick`: shorter, with less load; the conditions are the same."""

    def __init__(self, directory: Path, *, quick: bool) -> None:
        self.directory = directory
        self.quick = quick
        self.provider: Provider = None  # type: ignore[assignment]
        self.clients: list[LoadClient] = []
        self.balances: list[Balance] = []
        self._stack = contextlib.ExitStack()
        self._numbers = itertools.count(1)

    async def __aenter__(self) -> Scene:
        self.provider = await asyncio.to_thread(self._stack.enter_context, provider(self.directory))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._stack.close)

    def pick(self, quick: Any, full: Any) -> Any:
        return quick if self.quick else full

    def client(self, gateway: Gateway) -> LoadClient:
        client = LoadClient(gateway.host, gateway.port, self.directory / f"client-{next(self._numbers)}.jsonl")
        self.clients.append(client)
        return client

    @contextlib.asynccontextmanager
    async def gateway(
        self, data_dir: Path | None = None, *, upstream: str = "", tree: Path = TREE, **settings: str
    ) -> AsyncIterator[Gateway]:
        """`manage.py run` in a data directory that is empty, or as an earlier one left it; of the program in `tree`."""
        data_dir = data_dir or self.directory / "data"
        url = upstream or self.provider.url
        variables = {"TURNLOG_ANTHROPIC_URL": url, "TURNLOG_OPENAI_URL": f"{url}/v1", **settings}
        context = running(data_dir, "run", tree=tree, **variables)
        run = await asyncio.to_thread(context.__enter__)
        try:
            found = await asyncio.to_thread(run.wait_for, READY.pattern, START_SECONDS)
            environment = environment_for(data_dir, **variables)
            book = self.directory / f"balance-{next(self._numbers)}.jsonl"
            gateway = Gateway(run, found[1], int(found[2]), environment, book)
            self.balances.append(gateway.balance)
            try:
                yield gateway
            finally:
                await asyncio.to_thread(gateway.close)
        finally:
            end_supervisor(run)
            (self.directory / f"run-{next(self._numbers)}.log").write_text(run.output)
            await asyncio.to_thread(context.__exit__, None, None, None)

    def seen(self) -> list[dict[str, Any]]:
        """The provider's book."""
        return self.provider.lines()

    def balance_verdict(self) -> str:
        return "; ".join(balance.verdict() for balance in self.balances if balance.looks or balance.problems)
