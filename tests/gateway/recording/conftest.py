from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.recording.loader import Loader

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def load(spool_dir: Path, transactional_db: None) -> Iterator[Callable[[], Loader]]:
    """Load everything there is to load, with a loader that is new each time."""
    loaders = []

    def load_all() -> Loader:
        loader = Loader(spool_dir, tag_headers=("x-team",))
        loaders.append(loader)
        while loader.round():
            pass
        return loader

    yield load_all
    for loader in loaders:
        loader.close()


@pytest.fixture
def start_process() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a module of ours as a process of its own; it is killed when the test is over."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | (environment or {}),
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait(timeout=20)
        if process.stdout:
            process.stdout.close()
