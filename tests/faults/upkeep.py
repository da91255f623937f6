"""R-14: what keeps the history in order (backup, restore, retention) costs no exchange and holds nobody up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.embedded.commands import manage as run_manage
from tests.faults.checker import all_whole, nothing_lost
from tests.faults.durability import during
from tests.faults.registry import require, row
from tests.faults.replays import manage
from tests.faults.scene import Gateway, Scene

LOCK_SECONDS = 1.0
OLD_DAYS = 120
TERM_DAYS = 40
WAITS = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float8 FROM pg_locks
WHERE NOT granted AND pid <> pg_backend_pid()
"""
OLD = "SELECT count(*) FROM gateway_requestlog WHERE started_at < date_trunc('month', now()) - interval '40 days'"


@contextlib.contextmanager
def lock_waits(gateway: Gateway) -> Iterator[list[float]]:
    """The longest wait of anybody for a lock, looked at fifty times a second."""
    stop, seen = threading.Event(), [0.0]

    def look() -> None:
        with gateway.connect() as connection:
            while not stop.wait(0.02):
                found = connection.execute(WAITS).fetchone()
                seen[0] = max(seen[0], found[0] if found else 0.0)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(10)


def one(gateway: Gateway, statement: str, *values: Any) -> int:
    with gateway.connect() as connection:
        found = connection.execute(statement, values).fetchone()
    assert found is not None
    return int(found[0])


@row(
    "R-14",
    "Under load a backup is taken and restores to a history that proves intact, and months past their term go: nobody"
    " waits for a lock for more than a second, no client notices, and the spool brings nothing back.",
)
async def upkeep(scene: Scene) -> str:
    async with scene.gateway() as gateway:
        await manage(gateway, "demo", "--turns", str(scene.pick(600, 20_000)), "--days", str(OLD_DAYS))
        with gateway.connect() as connection:
            connection.execute("INSERT INTO gateway_retentionterm (days) VALUES (%s)", [TERM_DAYS])
        before = one(gateway, OLD)
        require(before > 0, "the demonstration has no old turns")
        zipped = scene.directory / "backup.zip"
        took = {}

        async def fault() -> None:
            await manage(gateway, "backup", str(zipped))
            began = time.monotonic()
            await manage(gateway, "history", "retention", "--yes")
            took["retention"] = time.monotonic() - began

        with lock_waits(gateway) as waited:
            answers = await during(scene, gateway, scene.pick(20, 100), fault)
        whole = all_whole(answers, "streams")
        require(one(gateway, OLD) == 0, "turns past their term are still there")
        require(waited[0] <= LOCK_SECONDS, f"somebody waited {waited[0]:.2f} s for a lock")
        text = await nothing_lost(scene, gateway, seconds=60)
        proved = await manage(gateway, "history", "retention", "--dry-run")
        require("nothing is due" in proved, f"more is due: {proved}")
    restored = await asyncio.to_thread(restore, zipped, scene.directory / "restored")
    return (
        f"{whole}; {before} old turns went in {took['retention']:.1f} s, longest wait for a lock {waited[0]:.2f} s; "
        f"{text}; {restored}"
    )


def restore(zipped: Path, data_dir: Path) -> str:
    """Into a directory of its own; the history there is proved."""
    shutil.rmtree(data_dir, ignore_errors=True)
    for arguments in (["restore", str(zipped), "--yes"], ["history", "verify"]):
        done = run_manage(data_dir, *arguments)
        require(done.returncode == 0, f"{arguments[0]} failed: {done.stderr[-500:]}")
    told = json.loads(run_manage(data_dir, "history", "stats", "--json").stdout)
    return f"restored and proved {told['turns']} turns"
