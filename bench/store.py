"""Postgres and the loader behind the Turnlog under test, and what they made of its records."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from bench.children import ROOT, clean_environment, started
from bench.usage import pin
from bench.workloads import ABROAD
from proxy_project.embedded.postgres import EmbeddedPostgres

STORED = """
SELECT coalesce(sum(stored), 0)
FROM (SELECT stored FROM gateway_spoolsegment UNION ALL SELECT stored FROM gateway_spooltotal) AS counted
"""
ROUTES = """
providers:
  - {{name: abroad, dialect: openai, address: {url}, profile: vllm, keyless: true}}
routes:
  - {{match: "{match}", provider: abroad}}
"""
LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Drain:
    """How long the loader needed after the load had stopped, and how many rows it stored in that time."""

    rows: int
    seconds: float
    left: int
    """Rows that were still missing when the patience ended."""


class ManageFailed(Exception):
    """A command of manage.py failed; the message has the end of what it said."""


class Store:
    def __init__(self, data_dir: Path, database_url: str, core: int | None) -> None:
        self.data_dir = data_dir
        self.database_url = database_url
        self.core = core
        self.connection = psycopg.connect(database_url, autocommit=True)
        self.loader: subprocess.Popen[bytes] | None = None

    def environment(self, **values: str) -> dict[str, str]:
        return clean_environment(
            TURNLOG_DATA_DIR=str(self.data_dir), DATABASE_URL=self.database_url, TURNLOG_DRAIN_GRACE="0", **values
        )

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ManageFailed(f"manage.py {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")
        return done.stdout

    def lead_abroad(self, provider: str) -> None:
        """Models of some names go to the provider's other API."""
        document = self.data_dir / "abroad.yaml"
        document.write_text(ROUTES.format(url=provider, match=f"{ABROAD}*"))
        self.manage("config", "apply", str(document))

    def stored(self) -> int:
        row = self.connection.execute(STORED).fetchone()
        assert row is not None
        return int(row[0])

    def drain(self, wanted: int, patience: float) -> Drain:
        """Wait until `wanted` rows are stored in all."""
        began, before = time.monotonic(), self.stored()
        now = before
        while now < wanted and time.monotonic() < began + patience:
            time.sleep(LOOK_SECONDS)
            now = self.stored()
        return Drain(now - before, time.monotonic() - began, wanted - now)

    @contextlib.contextmanager
    def loader_paused(self) -> Iterator[None]:
        assert self.loader is not None
        self.loader.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.loader.send_signal(signal.SIGCONT)

    def status(self) -> dict[str, Any]:
        """What `manage.py status --json` says."""
        result: dict[str, Any] = json.loads(self.manage("status", "--json"))
        return result


@contextlib.contextmanager
def running_store(directory: Path, core: int | None) -> Iterator[Store]:
    """A database of the bench's own with all tables, and a loader on the same core."""
    server = EmbeddedPostgres(directory / "data")
    try:
        address = server.start()
        assert server.process is not None
        pin(server.process.pid, core)
        host = quote(str(address.directory), safe="")
        url = f"postgresql://turnlog@/turnlog?host={host}&port={address.port}"
        store = Store(directory / "data", url, core)
        store.manage("migrate", "--verbosity", "0")
        command = [sys.executable, "manage.py", "loader"]
        with started(command, directory / "loader.log", core=core, environment=store.environment()) as loader:
            store.loader = loader
            yield store
        store.connection.close()
    finally:
        server.stop(seconds=10)
