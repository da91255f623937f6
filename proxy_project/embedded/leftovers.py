"""Children of a supervisor that was killed: the next one finds them on record and ends them before it starts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

import psutil

PATIENCE_SECONDS = 5.0


def record_children(path: Path, pids: Iterable[int]) -> None:
    rows = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            rows.append({"pid": pid, "created": psutil.Process(pid).create_time()})
    aside = path.with_name(f"{path.name}.new")
    aside.write_text(json.dumps(rows), encoding="utf-8")
    aside.replace(path)


def end_leftovers(path: Path) -> list[int]:
    """The process ids of those that were still there."""
    processes = list(recorded_processes(path))
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=PATIENCE_SECONDS)
    path.unlink(missing_ok=True)
    return [process.pid for process in processes]


def recorded_processes(path: Path) -> Iterable[psutil.Process]:
    """Only processes that are the ones on record: an id that was given to another process since is not one."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    for row in rows:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(row["pid"])
            if process.create_time() == row["created"] and process.status() != psutil.STATUS_ZOMBIE:
                yield process
