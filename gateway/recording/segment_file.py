"""An append-only file that never keeps a torn frame while its writer lives."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

BUFFERS_PER_WRITE = 512


class SegmentFile:
    """One thread appends. `size` is the length of what is whole; a failed append is cut back to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._synced = 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)

    def append(self, data: bytes) -> None:
        """Append one frame. Raises OSError with nothing of it left in the file."""
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                written += os.write(self._descriptor, memoryview(data)[written:])
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)

    def append_frames(self, frames: Sequence[Sequence[bytes]]) -> tuple[int, OSError | None]:
        """Append frames, each a sequence of buffers. Returns how many are in the file whole, and why not all."""
        ends = list(accumulate((sum(map(len, frame)) for frame in frames), initial=self.size))
        position = self.size
        error = None
        try:
            for buffers in batches([buffer for frame in frames for buffer in frame if buffer]):
                position += self._write(buffers)
        except ShortWrite as short:
            position += short.written
            error = short.cause
        if error is None:
            self.size = position
            return len(frames), None
        whole = bisect_right(ends, position) - 1
        self.size = ends[whole]
        os.ftruncate(self._descriptor, self.size)
        return whole, error

    def _write(self, buffers: list[bytes]) -> int:
        total = sum(map(len, buffers))
        done = 0
        rest: list[bytes | memoryview] = list(buffers)
        while done < total:
            try:
                count = os.writev(self._descriptor, rest)
            except OSError as error:
                raise ShortWrite(done, error) from error
            done += count
            rest = beyond(rest, count)
        return done

    def sync(self) -> None:
        """Force to disk what was appended since the last time. Raises OSError."""
        size = self.size
        if size != self._synced:
            os.fdatasync(self._descriptor) if hasattr(os, "fdatasync") else os.fsync(self._descriptor)
            self._synced = size

    def close(self) -> None:
        os.close(self._descriptor)


class ShortWrite(Exception):
    """A write that failed after `written` bytes."""

    def __init__(self, written: int, cause: OSError) -> None:
        super().__init__(written, cause)
        self.written = written
        self.cause = cause


def batches(buffers: list[bytes]) -> list[list[bytes]]:
    return [buffers[start : start + BUFFERS_PER_WRITE] for start in range(0, len(buffers), BUFFERS_PER_WRITE)]


def beyond(buffers: list[bytes | memoryview], count: int) -> list[bytes | memoryview]:
    """The buffers less their first `count` bytes."""
    for index, buffer in enumerate(buffers):
        if count < len(buffer):
            return [memoryview(buffer)[count:], *buffers[index + 1 :]]
        count -= len(buffer)
    return []
