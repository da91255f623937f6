"""Who keeps the embedded PostgreSQL running: one supervisor, or the commands that need it while none does.

Three lock files, all released by the kernel when their holder dies:

- `starting.lock` is held for the moment of deciding to start or stop the server;
- `supervisor.lock` is held by `manage.py run` for its whole life, and then nobody else starts or stops anything;
- `users.lock` is shared by the commands that use a server started for their own duration: the last one to leave can
  have it for itself, and stops the server.

A file named `hold` makes the supervisor stop the server and keeps everybody from starting it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy_project.embedded.cluster import postmaster_of, says_ready
from proxy_project.embedded.placement import home_of
from proxy_project.embedded.postgres import EmbeddedPostgres

SUPERVISED_START_SECONDS = 30.0


class FileLock:
    """`flock` on a file that stays. Locks of one process on separate instances are separate."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor: int | None = None

    def acquire(self, *, shared: bool = False, wait: bool = True) -> bool:
        """False when somebody else has it and `wait` is off. Calling again changes between shared and exclusive."""
        if self.descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.descriptor = os.open(self.path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
        try:
            fcntl.flock(self.descriptor, operation)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


@contextmanager
def held(lock: FileLock) -> Iterator[None]:
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def starting_lock(data_dir: Path) -> FileLock:
    return FileLock(data_dir / "postgres" / "starting.lock")


def supervisor_lock(data_dir: Path) -> FileLock:
    return FileLock(data_dir / "postgres" / "supervisor.lock")


def users_lock(data_dir: Path) -> FileLock:
    return FileLock(data_dir / "postgres" / "users.lock")


def on_hold(data_dir: Path) -> bool:
    return (data_dir / "postgres" / "hold").exists()


def is_supervised(data_dir: Path) -> bool:
    lock = supervisor_lock(data_dir)
    try:
        return not lock.acquire(shared=True, wait=False)
    finally:
        lock.release()


@contextmanager
def borrowed_postgres(data_dir: Path, tell: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Have the server running for the duration, unless it is on hold; raises what `EmbeddedPostgres.start` raises."""
    users = users_lock(data_dir)
    server = EmbeddedPostgres(data_dir)
    with held(starting_lock(data_dir)):
        if on_hold(data_dir):
            tell(f"PostgreSQL is on hold: remove {data_dir / 'postgres' / 'hold'} to have it started")
            supervised = True
        else:
            supervised = is_supervised(data_dir)
            if not supervised:
                users.acquire(shared=True)
                server.start()
    if supervised:
        wait_for_supervised(data_dir)
    try:
        yield
    finally:
        if not supervised:
            leave(data_dir, users, server)


def leave(data_dir: Path, users: FileLock, server: EmbeddedPostgres) -> None:
    with held(starting_lock(data_dir)):
        if users.acquire(wait=False) and not is_supervised(data_dir):
            server.stop()
        else:
            server.let_go()
        users.release()


def wait_for_supervised(data_dir: Path) -> None:
    """A supervisor that is just starting gets a moment; one that cannot start is the command's to report."""
    deadline = time.monotonic() + SUPERVISED_START_SECONDS
    while not on_hold(data_dir) and is_supervised(data_dir) and time.monotonic() < deadline:
        if is_ready(data_dir):
            return
        time.sleep(0.05)


def is_ready(data_dir: Path) -> bool:
    cluster = home_of(data_dir) / "cluster"
    process = postmaster_of(cluster)
    return process is not None and says_ready(cluster, process.pid)
