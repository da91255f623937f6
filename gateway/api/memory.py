"""How much memory this process may have, how much it has, and whether another request still fits.

The bounds are those the system would enforce by killing us or by refusing memory in the middle of anything: the control
group's, the address space's (RLIMIT_AS), the machine's; and TURNLOG_MAX_MEMORY_BYTES. From 80 % of the nearest on, new
requests are told 503; running ones go on in the rest. A large body is counted before it has come, with the copies made
of it on its way, or a crowd of them would be let in one by one and not fit together.
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from gateway.api.control_group import control_groups

FULL = 0.8
LOOK_SECONDS = 0.02
TRIM_SECONDS = 1.0
TIDY_SECONDS = 10.0
SETTLED_SECONDS = 6.0
"""So long after the last request what it used is thought to be free."""
SMALL = 256 * 1024
"""Bodies up to this size are not counted ahead."""
COPIES = 2.5
"""The memory a body takes while it is read and sent on, in its own size."""
M_MMAP_THRESHOLD = -3
LARGE_BLOCK = 4 * 1024 * 1024

Reading = Callable[[], "int | None"]


@dataclass(frozen=True)
class Bound:
    """Both in bytes; `limit` gives None where there is none."""

    name: str
    limit: Reading
    used: Reading


class Memory:
    """Counts for one process. Nothing is read more often than every 20 ms."""

    def __init__(self, bounds: list[Bound]) -> None:
        self._bounds = bounds
        self._looked = self._trimmed = 0.0
        self._reserved = 0
        self._stirred = -TIDY_SECONDS
        """When a request last came in."""
        self._room = 0
        self._name = ""

    def fits(self, size: int = 0) -> bool:
        """Whether a request with a body of that size may come in."""
        self._stirred = self._look()
        return self._has_room(int(size * COPIES) if size > SMALL else 0)

    def reserve(self, size: int) -> Reservation:
        """For a body that `fits`."""
        return Reservation(self, int(size * COPIES) if size > SMALL else 0)

    @property
    def problem(self) -> str | None:
        """What is short, in words; None: nothing is."""
        self._look()
        return None if self._has_room(0) else f"more than {FULL:.0%} of the memory {self._name} allows is in use"

    def _has_room(self, needed: int) -> bool:
        if self._room - self._reserved > needed:
            return True
        self._trim()
        return self._room - self._reserved > needed

    def _look(self) -> float:
        """Returns the time."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._room, self._name = self._nearest()
        return now

    def _nearest(self) -> tuple[int, str]:
        """Bytes left below the watermark of the nearest bound, and its name."""
        rooms = []
        for bound in self._bounds:
            limit = bound.limit()
            used = bound.used() if limit else None
            if limit and used is not None:
                rooms.append((int(limit * FULL) - used, bound.name))
        return min(rooms, default=(1 << 62, ""))

    def tidy(self) -> None:
        """To be called now and then: give back what requests have left in the allocator, while no large one is under
        way. It takes some milliseconds for each 100 MB, and large bodies leave half of theirs there for good. The last
        time is when nobody has come for a while, and connections have been closed."""
        now, settled = time.monotonic(), self._stirred + SETTLED_SECONDS
        if self._reserved or self._trimmed >= settled:
            return
        if now >= settled or now - self._trimmed >= TIDY_SECONDS:
            self._trim()

    def _trim(self) -> None:
        """Freed memory that the allocator still holds counts as used until it is given back."""
        now = time.monotonic()
        if now - self._trimmed < TRIM_SECONDS:
            return
        self._trimmed = now
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        self._looked = 0.0
        self._look()


class Reservation:
    """Memory that a request is going to need. `arrived` when its body is here, `release` when that was sent on."""

    def __init__(self, memory: Memory, size: int) -> None:
        self._memory = memory
        self._size = 0
        self._resize(size)

    def grow(self, size: int) -> bool:
        """For a body that turns out to have `size` bytes; False when that does not fit."""
        wanted = int(size * COPIES)
        if not self._memory.fits((wanted - self._size) // 2):
            return False
        self._resize(wanted)
        return True

    def arrived(self) -> None:
        """What is here shows in the memory used; the copies to come do not yet."""
        self._resize(int(self._size * (COPIES - 1) / COPIES))

    def release(self) -> None:
        self._resize(0)

    def _resize(self, size: int) -> None:
        self._memory._reserved += size - self._size
        self._size = size


def bounds_of(setting: int) -> list[Bound]:
    """Every bound of this process; `setting` in bytes, 0 for none."""
    process = psutil.Process()

    def resident() -> int:
        return process.memory_info().rss

    def addressed() -> int:
        return process.memory_info().vms

    def address_space() -> int | None:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        return None if limit == resource.RLIM_INFINITY else limit

    total = psutil.virtual_memory().total
    bounds = [
        Bound("the address space (RLIMIT_AS)", address_space, addressed),
        Bound("this machine", lambda: total, resident),
    ]
    bounds += [Bound(f"the control group {group.folder}", group.limit, group.used) for group in control_groups()]
    if setting:
        bounds.append(Bound("TURNLOG_MAX_MEMORY_BYTES", lambda: setting, resident))
    return bounds


def return_large_blocks() -> None:
    """Let the allocator give large blocks back at once; by default it learns to keep them, up to 32 MB each."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
