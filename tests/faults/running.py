"""Runs one row in a scene of its own and says how it went."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.registry import Failed, Row, all_rows
from tests.faults.scene import Scene

LONGEST_SECONDS = 1800.0
"""A row that is still at it hangs. SEC-06 looks at some 1 500 pages: 7 min, 15 and more on a machine that is busy."""


@dataclass
class Result:
    row: Row
    passed: bool
    said: str
    seconds: float

    def line(self) -> str:
        return f"{'PASS' if self.passed else 'FAIL'}  {self.row.id:7} {self.seconds:6.1f} s  {self.said}"


async def run_row(row: Row, *, quick: bool, keep: Path | None = None) -> Result:
    """Never raises for what the row finds; books and logs are kept when it failed, or always below `keep`."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix=f"turnlog-{row.id}-", dir=keep))
    # PostgreSQL runs as another account when we are root, and must be able to walk to its data.
    directory.chmod(0o755)
    began = time.monotonic()
    scene = Scene(directory, quick=quick)
    try:
        async with asyncio.timeout(LONGEST_SECONDS), scene:
            said = await row.check(scene)
        passed, said = True, "; ".join(part for part in (said, scene.balance_verdict()) if part)
    except Failed as failed:
        passed, said = False, str(failed)
    except Exception as error:
        passed, said = False, f"{type(error).__name__}: {str(error)[:2000]}"
    if passed and keep is None:
        shutil.rmtree(directory, ignore_errors=True)
    elif not passed:
        said = f"{said} [kept: {os.fspath(directory)}]"
    return Result(row, passed, " ".join(said.split()), time.monotonic() - began)


def run_one(id: str, quick: bool, keep: Path | None) -> Result:
    """`run_row` by the row's name, for a process of its own."""
    [row] = [row for row in all_rows() if row.id == id]
    return asyncio.run(run_row(row, quick=quick, keep=keep))
