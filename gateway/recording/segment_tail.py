"""Reads a segment file frame by frame, from where it stopped, while its writer may still be writing.

What looks damaged in a file that is still written may be a frame half-way to the disk, so damage is judged only when
the segment is closed. Then every intact frame behind the damage is kept, and the damaged bytes are reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.recording.frames import HEADER, HEADER_SIZE, MAGIC, Damage, Frame, checksum_seed, read_frame, salvage
from gateway.recording.open_files import OpenFiles

READ_BYTES = 4 * 1024 * 1024


class Found(NamedTuple):
    """A frame at its place in the file, and its meta."""

    frame: Frame
    meta: bytes


class SegmentTail:
    """One file. `done` once it is closed and all of it was read."""

    def __init__(self, path: Path, files: OpenFiles) -> None:
        self.path = path
        self.done = False
        self._stuck = False
        self._seed = checksum_seed(path.parent.name)
        self._files = files
        self._offset = 0

    def poll(self, closed: bool) -> Iterator[Found | Damage]:
        """What was added, at most some megabytes at a time. Advances behind each item only when the next is asked for,
        so that an exception at the caller's loses nothing."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            self.done = closed
            return
        if size > self._offset:
            data = self._files.read(self.path, self._offset, self._window(size))
            yield from self._intact(data)
        if closed and not self.done and (self._stuck or self._offset >= size):
            yield from self._rest(size)

    def _window(self, size: int) -> int:
        """Bytes to read: the usual, or a whole frame when it is larger than that."""
        left = size - self._offset
        if left <= HEADER_SIZE:
            return left
        header = self._files.read(self.path, self._offset, HEADER_SIZE)
        magic, _, _, _, meta_size, blob_size = HEADER.unpack_from(header)
        whole = HEADER_SIZE + meta_size + blob_size if magic == MAGIC else 0
        return min(left, max(READ_BYTES, whole))

    def _intact(self, data: bytes) -> Iterator[Found]:
        base, position = self._offset, 0
        while (frame := read_frame(data, position, self._seed)) is not None:
            yield found(frame, data, base)
            position = frame.end
            self._offset = base + position
        self._stuck = position == 0

    def _rest(self, size: int) -> Iterator[Found | Damage]:
        """Of a closed file: all that is left, damage included."""
        base = self._offset
        data = self._files.read(self.path, base, size - base)
        for item in salvage(data, self._seed):
            if isinstance(item, Damage):
                yield Damage(base + item.start, base + item.end)
            else:
                yield found(item, data, base)
            self._offset = base + item.end
        self.done = True


def found(frame: Frame, data: bytes, base: int) -> Found:
    """The frame, read from `data`, at its place in a file where `data` begins at `base`."""
    placed = Frame(
        frame.kind,
        frame.exchange_id,
        base + frame.start,
        base + frame.meta_start,
        base + frame.blob_start,
        base + frame.end,
    )
    return Found(placed, data[frame.meta_start : frame.blob_start])
