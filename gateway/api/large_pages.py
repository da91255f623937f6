"""Puts what a process has loaded into pages of 2 MB.

A relayed request wanders over tens of megabytes of code objects and tables, and in a virtual machine each miss of the
processor's table of pages is paid twice. Linux joins small pages into large ones when it is asked to (MADV_COLLAPSE,
since 6.1, whatever the system's setting for such pages says); where it cannot, everything stays as it was.
"""

from __future__ import annotations

import contextlib
import ctypes
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LARGE_PAGE: Final = 2 * 1024 * 1024
MADV_COLLAPSE: Final = 25
MAPS: Final = Path("/proc/self/maps")
OWN_MEMORY: Final = re.compile(r"(?m)^([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0 *(?:\[heap\])?$")
"""Memory of no file that may be written: the heap, and what the interpreter took for its objects."""


def collapse() -> int:
    """Returns how many large pages there are now; to be called once all is loaded. Takes a tenth of a second."""
    with contextlib.suppress(OSError, AttributeError):
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        return sum(advise(start, LARGE_PAGE, MADV_COLLAPSE) == 0 for start in large_places(MAPS.read_text()))
    return 0


def large_places(maps: str) -> Iterator[int]:
    """The addresses in our own memory where a whole large page has room."""
    for first, last in OWN_MEMORY.findall(maps):
        start = -(-int(first, 16) // LARGE_PAGE) * LARGE_PAGE
        yield from range(start, int(last, 16) - LARGE_PAGE + 1, LARGE_PAGE)
