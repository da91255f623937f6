"""Follows one series: which exchanges it holds, where their frames lie, and which of them are over.

Of an open exchange only the places of its frames are kept, not their bytes. An exchange is over when its end was read,
or when the process that wrote the series is gone: then nothing more will come, and it is handed on as an orphan. A
segment may be retired when it is closed, read to its end, and no unsettled exchange refers to it.

The order of an exchange's frames is the order they are read in, and its end is taken for the last of them: so a segment
is read to its end before the next one is begun, however large it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from gateway.recording.frames import Damage, Kind
from gateway.recording.open_files import OpenFiles
from gateway.recording.quarantine import Quarantine
from gateway.recording.segment_tail import Found, SegmentTail
from gateway.recording.series import frames_path, is_alive, segment_files, stubs_path

FINISHED_PER_POLL = 400


class Extent(NamedTuple):
    """Where a frame lies: segment number and offsets in the stubs or frames file."""

    number: int
    start: int
    meta_start: int
    blob_start: int
    end: int


class Tracked:
    """One exchange of a series, known by the places of its frames."""

    __slots__ = ("directory", "ended", "exchange_id", "frames", "stub")

    def __init__(self, directory: Path, exchange_id: bytes) -> None:
        self.directory = directory
        self.exchange_id = exchange_id
        self.stub: Extent | None = None
        self.frames: list[Extent] = []
        self.ended = False

    def size(self) -> int:
        """Bytes of all its frames."""
        return sum(extent.end - extent.start for extent in self.frames)


class Segment:
    def __init__(self, directory: Path, number: int, files: OpenFiles) -> None:
        self.number = number
        self.stubs = SegmentTail(stubs_path(directory, number), files)
        self.frames = SegmentTail(frames_path(directory, number), files)
        self.admitted: list[bytes] = []
        """Ids of its stubs."""
        self.unsettled: set[bytes] = set()
        """Ids of exchanges that have a frame here and are not settled."""

    @property
    def done(self) -> bool:
        return self.stubs.done and self.frames.done


class EndOnly(msgspec.Struct):
    """Of a progress record only whether it is the last one."""

    end: msgspec.Raw | None = None


decode_end = msgspec.msgpack.Decoder(EndOnly).decode


class SeriesTail:
    def __init__(self, directory: Path, files: OpenFiles, quarantine: Quarantine) -> None:
        self.directory = directory
        self.alive = True
        self.segments: dict[int, Segment] = {}
        self.strays: list[Tracked] = []
        """Exchanges whose stub is not in the series, each once, to be settled or set aside."""
        self._files = files
        self._quarantine = quarantine
        self._open: dict[bytes, Tracked] = {}
        self._over: list[Tracked] = []

    def poll(self) -> list[Tracked]:
        """Read on. Returns exchanges that are over, each once; more may wait when many were found. Raises OSError, and
        then keeps what it found for the next time."""
        # Asked before anything is read: of a process that was gone by then, everything is in the files.
        self.alive = self.alive and is_alive(self.directory)
        newest = self._discover()
        for number in sorted(self.segments):
            segment = self.segments[number]
            if segment.done:
                continue
            self._read(segment, closed=not self.alive or number < newest)
            if segment.done:
                self._find_strays(segment)
            if not segment.done or len(self._over) >= FINISHED_PER_POLL:
                return self._take_over()
        if not self.alive and all(segment.done for segment in self.segments.values()):
            self._over += self._orphans()
        return self._take_over()

    def _take_over(self) -> list[Tracked]:
        over, self._over = self._over, []
        return over

    def settle(self, tracked: Tracked) -> None:
        """The exchange is stored, dead or in quarantine: its frames are needed no more."""
        for extent in (*tracked.frames, *([tracked.stub] if tracked.stub else [])):
            self.segments[extent.number].unsettled.discard(tracked.exchange_id)

    def retirable(self) -> list[Segment]:
        return [segment for segment in self.segments.values() if segment.done and not segment.unsettled]

    def remove(self, segment: Segment) -> None:
        """Delete the segment's files."""
        for tail in (segment.frames, segment.stubs):
            self._files.forget(tail.path)
            tail.path.unlink(missing_ok=True)
        del self.segments[segment.number]

    @property
    def open_count(self) -> int:
        """Exchanges that have not ended, as far as was read."""
        return len(self._open)

    @property
    def is_over(self) -> bool:
        """Its process is gone and nothing of it is left to load."""
        return not self.alive and not self.segments and not self._open

    def _discover(self) -> int:
        """Take note of new segments; returns the number of the newest that has a frames file."""
        newest = 0
        for number, suffix in segment_files(self.directory):
            if number not in self.segments:
                self.segments[number] = Segment(self.directory, number, self._files)
            if suffix == "frames":
                newest = max(newest, number)
        return newest

    def _read(self, segment: Segment, *, closed: bool) -> None:
        """What was added; of a closed segment all there is, or as much as is enough for now."""
        while True:
            for tail in (segment.stubs, segment.frames):
                self._read_file(segment, tail, closed)
            if not closed or segment.done or len(self._over) >= FINISHED_PER_POLL:
                return

    def _read_file(self, segment: Segment, tail: SegmentTail, closed: bool) -> None:
        for item in tail.poll(closed):
            if isinstance(item, Damage):
                self._quarantine.keep(tail.path, item)
            elif (tracked := self._note(segment, item)) is not None:
                self._over.append(tracked)

    def _note(self, segment: Segment, item: Found) -> Tracked | None:
        """Take in one frame; returns its exchange when that is now over and whole."""
        frame = item.frame
        extent = Extent(segment.number, frame.start, frame.meta_start, frame.blob_start, frame.end)
        tracked = self._open.get(frame.exchange_id)
        if tracked is None:
            tracked = self._open[frame.exchange_id] = Tracked(self.directory, frame.exchange_id)
        segment.unsettled.add(frame.exchange_id)
        if frame.kind == Kind.ADMISSION:
            tracked.stub = extent
            segment.admitted.append(frame.exchange_id)
        else:
            tracked.frames.append(extent)
            tracked.ended = tracked.ended or is_last(item.meta)
        return self._open.pop(frame.exchange_id) if tracked.ended and tracked.stub else None

    def _find_strays(self, segment: Segment) -> None:
        """A stub is written before the frames of its exchange: one that is not there by now was damaged, or lay in a
        segment that is retired already."""
        if not all(other.stubs.done for other in self.segments.values() if other.number <= segment.number):
            return
        for exchange_id in segment.unsettled:
            tracked = self._open.get(exchange_id)
            if tracked is not None and tracked.stub is None:
                self.strays.append(self._open.pop(exchange_id))

    def set_aside(self, tracked: Tracked) -> None:
        """Its stub was damaged: its frames follow it into quarantine. Raises OSError."""
        for extent in tracked.frames:
            self._quarantine.keep(frames_path(self.directory, extent.number), Damage(extent.start, extent.end))
        self.settle(tracked)

    def _orphans(self) -> list[Tracked]:
        """Exchanges that will never have an end."""
        orphans = list(self._open.values())
        self._open.clear()
        return orphans


def is_last(meta: bytes) -> bool:
    """Whether a progress record holds the end. One that cannot be read counts as the last, so that it is looked at."""
    try:
        return decode_end(meta).end is not None
    except msgspec.DecodeError:
        return True
