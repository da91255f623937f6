"""What a `web` process counts, in a small mapped file of its series: it survives `kill -9`, and others may read it.

The file is written in full before it is mapped, so that counting never needs new disk space. Each slot is a 64-bit
number written by one thread.
"""

from __future__ import annotations

import errno
import mmap
import os
from array import array
from enum import IntEnum
from pathlib import Path

FILE_NAME = "counters"
FILE_SIZE = 4096


class Slot(IntEnum):
    """Positions in the file; never renumber, only append."""

    IN_FLIGHT = 0
    DRAINING = 1
    DROPPED_DISK_FULL = 2
    DROPPED_SPOOL_FULL = 3
    DROPPED_BACKLOG = 4
    DROPPED_FAULT = 5
    FAULTS = 6
    """Times a hook of the recorder failed; the exchange went on."""
    TELEMETRY_METRICS = 7
    TELEMETRY_LOGS = 8
    TELEMETRY_TRACES = 9
    TELEMETRY_OTHER = 10
    PROCESS_ID = 11
    WRITER_FAULTS = 12
    """Times the writer thread failed and went on."""
    DROPPED_BY_POLICY = 13
    KEPT_METADATA = 14
    KEPT_MASKED = 15


DROP_SLOTS = {
    "disk_full": Slot.DROPPED_DISK_FULL,
    "spool_full": Slot.DROPPED_SPOOL_FULL,
    "backlog": Slot.DROPPED_BACKLOG,
    "fault": Slot.DROPPED_FAULT,
    "capture_none": Slot.DROPPED_BY_POLICY,
}
TELEMETRY_SLOTS = {
    "metrics": Slot.TELEMETRY_METRICS,
    "logs": Slot.TELEMETRY_LOGS,
    "traces": Slot.TELEMETRY_TRACES,
}


class Counters:
    """The live process's counters: in memory until there is a file, then in the file."""

    def __init__(self) -> None:
        self._memory = array("Q", bytes(FILE_SIZE))
        self.slots: memoryview | array[int] = self._memory
        self.prepared: mmap.mmap | None = None
        """A file that is ready to be moved into, see `adopt`."""
        self._map: mmap.mmap | None = None

    def prepare(self, directory: Path) -> None:
        """Make and map the file; any thread. Raises OSError, and counting goes on in memory, when there is no room."""
        if self.prepared is not None or self._map is not None:
            return
        path = directory / FILE_NAME
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if os.write(descriptor, self._memory.tobytes()) != FILE_SIZE:
                raise OSError(errno.ENOSPC, "no room for the counters")
            os.fsync(descriptor)
            self.prepared = mmap.mmap(descriptor, FILE_SIZE)
        finally:
            os.close(descriptor)

    def adopt(self) -> None:
        """Count on in the prepared file; only the thread that counts."""
        if self.prepared is None:
            return
        self._map, self.prepared = self.prepared, None
        view = memoryview(self._map).cast("Q")
        for slot in Slot:
            view[slot] = self._memory[slot]
        view[Slot.PROCESS_ID] = os.getpid()
        self.slots = view

    def add(self, slot: Slot, amount: int = 1) -> None:
        self.slots[slot] += amount

    def __getitem__(self, slot: Slot) -> int:
        return self.slots[slot]

    def close(self) -> None:
        """Leave the file; later counts stay in memory and go with it."""
        if self._map is None:
            return
        for slot in Slot:
            self._memory[slot] = self.slots[slot]
        view, self.slots = self.slots, self._memory
        if isinstance(view, memoryview):
            view.release()
        self._map.close()
        self._map = None


def read_counters(directory: Path) -> dict[Slot, int]:
    """The counters of a series, live or dead; zeros when its file is not there."""
    try:
        data = (directory / FILE_NAME).read_bytes()
    except FileNotFoundError:
        data = b""
    values = array("Q", data.ljust(FILE_SIZE, b"\0")[:FILE_SIZE])
    return {slot: values[slot] for slot in Slot}


def dropped_by_reason(counters: dict[Slot, int]) -> dict[str, int]:
    """Requests served without a record, by reason; only reasons that occurred."""
    return {reason: counters[slot] for reason, slot in DROP_SLOTS.items() if counters[slot]}


def telemetry_by_kind(counters: dict[Slot, int]) -> dict[str, int]:
    """Requests to the telemetry endpoints, by kind; only kinds that occurred."""
    slots = {**TELEMETRY_SLOTS, "other": Slot.TELEMETRY_OTHER}
    return {kind: counters[slot] for kind, slot in slots.items() if counters[slot]}


def kept_by_policy(counters: dict[Slot, int]) -> dict[str, int]:
    """Requests of which a policy kept less than all, by how; only what occurred."""
    slots = {"metadata": Slot.KEPT_METADATA, "masked": Slot.KEPT_MASKED}
    return {name: counters[slot] for name, slot in slots.items() if counters[slot]}
