"""What processes cost: CPU time, memory, and the core they run on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

MIB = 1024 * 1024


def family(pid: int) -> list[psutil.Process]:
    """A process and all below it that live."""
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time so far, of the process and those below it. By the scheduler's nanoseconds where the kernel
    tells them (it counts only threads that live), else by ticks of 10 ms."""
    return sum(process_seconds(process) for process in family(pid))


def waiting_seconds(pid: int) -> float:
    """Time so far in which threads were ready to run and their core was busy; 0.0 where nobody counts it."""
    return sum(waited for process in family(pid) for _, waited in thread_nanoseconds(process.pid)) / 1e9


def process_seconds(process: psutil.Process) -> float:
    nanoseconds = [ran for ran, _ in thread_nanoseconds(process.pid)]
    if nanoseconds:
        return sum(nanoseconds) / 1e9
    with contextlib.suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def thread_nanoseconds(pid: int) -> Iterator[tuple[int, int]]:
    """(ran, waited for a core) of each thread."""
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                ran, waited, _ = (thread / "schedstat").read_text().split()
                yield int(ran), int(waited)


def rss_mib(pid: int) -> float:
    """Resident memory now, MiB, of the process and those below it."""
    total = 0
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / MIB


def pin(pid: int, core: int | None) -> None:
    """Keep every thread of the process, and of those below it, on one core; what they start later stays there too."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        return
    for process in family(pid):
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    os.sched_setaffinity(int(thread.name), {core})


def cores() -> tuple[int | None, int | None, int | None]:
    """(of the load and the fake provider, of the target, of loader and Postgres); None where nothing can be pinned.
    With two cores the first and the last are the same one."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None, None
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return None, None, None
    return usable[0], usable[1], usable[2] if len(usable) > 2 else usable[0]


def listener_of(port: int) -> int | None:
    """The process that listens on a port of this machine, where we may know it."""
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                return int(connection.pid) if connection.pid else None
    return None
