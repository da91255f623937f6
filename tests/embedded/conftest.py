"""Data directories of a test's own, with real servers on them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy_project.embedded.postgres import EmbeddedPostgres

# Tests stop and kill servers; what they would lose with the machine does not matter.
FAST = {"fsync": "off"}


@pytest.fixture
def empty_data_dir() -> Iterator[Path]:
    """Short and open to all, unlike pytest's own directories: root's server runs as another account."""
    directory = new_directory()
    yield directory
    end(directory)


@pytest.fixture(scope="session")
def made_cluster() -> Iterator[Path]:
    """A stopped cluster with an empty database, made once."""
    directory = new_directory()
    server = EmbeddedPostgres(directory, settings=FAST)
    server.start()
    server.stop()
    yield directory / "postgres" / "cluster"
    end(directory)


@pytest.fixture
def data_dir(empty_data_dir: Path, made_cluster: Path) -> Path:
    """With a cluster on it, as after an earlier start."""
    (empty_data_dir / "postgres").mkdir()
    subprocess.run(["cp", "-a", str(made_cluster), str(empty_data_dir / "postgres" / "cluster")], check=True)
    return empty_data_dir


def new_directory() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="turnlog-data-"))
    directory.chmod(0o755)
    return directory


@pytest.fixture
def postgres(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data_dir, settings=FAST)
    yield server
    server.stop(seconds=5)


def end(directory: Path) -> None:
    EmbeddedPostgres(directory).stop(seconds=5)
    shutil.rmtree(directory)
