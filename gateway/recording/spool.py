"""The durable boundary: what the recorder hands over here survives the process.

Two threads meet in this file, and each attribute has one writer:

* the **event loop** writes admission stubs (`write_stub`: one `write()` into the page cache, so it survives `kill -9`)
  and hands batches of deltas to the queue (`submit`). It never waits for the disk: the only lock is held by the other
  side for the exchange of one attribute.
* the **writer thread** takes the batches, writes them as frames, forces both files to disk, moves on to the next
  segment, watches the bounds, and tries again when the disk was full.

When bytes cannot be kept (no room on the disk, the spool over its bound, a fault), `refusal` names the reason.
Admissions are then refused with it: the recorder serves and counts, or answers 503, as the policy says. Exchanges
already admitted lose their bytes but not their row: their deltas are cut down to what is small (status, headers, end),
which waits in memory until it can be written, with the loss named in `capture`. The refusal ends by itself when a probe
of the disk succeeds.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread

import msgspec
import structlog

from gateway.recording.counters import Counters, Slot
from gateway.recording.delta import Delta
from gateway.recording.failpoints import armed, hit
from gateway.recording.frames import Kind, checksum_seed, encode_head
from gateway.recording.reserve import Reserve
from gateway.recording.segment_file import SegmentFile
from gateway.recording.series import create_series, frames_path, spool_bytes, spool_host, stubs_path

SEGMENT_BYTES = 64 * 1024 * 1024
SEGMENT_SECONDS = 60.0
SEGMENTS_AT_LEAST = 8
"""A spool within its bound has at least so many segments, because the one that is written cannot be emptied."""
HOUSEKEEPING_SECONDS = 1.0
PROBE_BYTES = 64 * 1024
WAITING_BOUND = 100_000
DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
NO_ROOM = ("disk_full", "spool_full")
CAN_ROTATE = (None, "spool_full")
"""Also when the spool is over its bound: only a closed segment can be emptied."""

log = structlog.get_logger(__name__)
encode = msgspec.msgpack.Encoder().encode


class SpoolRefusal(Exception):
    """An admission that could not be made durable; `reason` is one of `counters.DROP_SLOTS`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Spool:
    """One series of segments, from `open` to `close`."""

    def __init__(
        self,
        spool_dir: Path,
        counters: Counters,
        *,
        max_bytes: int,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
    ) -> None:
        self.refusal: str | None = "fault"
        self.directory: Path | None = None
        self.written = 0
        """Bytes of deltas done with, kept or lost; the backlog is what was submitted less this."""
        self._spool_dir = spool_dir
        self._counters = counters
        self._max_bytes = max_bytes
        self._segment_bytes = min(segment_bytes, max(1, max_bytes // SEGMENTS_AT_LEAST))
        self._segment_seconds = segment_seconds
        self._queue: SimpleQueue[list[Delta] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._stub_lock = Lock()
        self._stubs: SegmentFile | None = None
        self._frames: SegmentFile | None = None
        self._seed = 0
        self._lock_descriptor = -1
        self._number = 0
        self._segment_began = 0.0
        self._on_disk = 0
        self._looked_after = 0.0
        self._waiting: list[Delta] = []
        self._reserve = Reserve()
        self._has_made_way = False

    def open(self) -> None:
        """Make the series and start the writer; blocking. When there is no room yet, it is tried again every second."""
        self._try_open()
        self._thread = Thread(target=self._run, name="spool-writer", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what was submitted, force it to disk and let go of the series; blocking."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def write_stub(self, exchange_id: bytes, meta: bytes) -> None:
        """Make an admission durable; on the event loop. Raises SpoolRefusal with nothing written."""
        if self.refusal is not None:
            raise SpoolRefusal(self.refusal)
        data = encode_head(Kind.ADMISSION, exchange_id, meta, (), self._seed)
        try:
            if armed:
                hit("stub")
            with self._stub_lock:
                if self._stubs is None:
                    raise SpoolRefusal("fault")
                self._stubs.append(data)
        except OSError as error:
            raise SpoolRefusal(self._refuse(error)) from error

    def submit(self, deltas: list[Delta]) -> None:
        self._queue.put(deltas)

    # From here on: the writer thread.

    def _run(self) -> None:
        while self._write_next():
            pass
        self._shut()

    def _write_next(self) -> bool:
        """Wait for a batch and write it; False when it was the last. In a call of its own, whose end lets go of it:
        what the last answers of a busy time were is not kept in memory until others come."""
        item: list[Delta] | None = []
        with contextlib.suppress(Empty):
            item = self._queue.get(timeout=HOUSEKEEPING_SECONDS)
        batch = item or []
        size = sum(delta.size for delta in batch)
        self._look_after(force=item is None)
        try:
            if armed:
                hit("writer")
            self._write(batch)
            self._sync()
        except Exception:
            self._lose(batch)
            log.exception("spool writer failed")
        self.written += size
        return item is not None

    def _lose(self, batch: list[Delta]) -> None:
        self._counters.add(Slot.WRITER_FAULTS)
        for delta in batch:
            delta.give_up("recorder_fault")
        self._wait(batch)

    def _write(self, batch: list[Delta]) -> None:
        if self.refusal in NO_ROOM or self._frames is None:
            for delta in batch:
                delta.give_up("lost_disk")
        if self._frames is None or self.refusal == "disk_full":
            self._wait(batch)
            return
        deltas = [delta for delta in (*self._waiting, *batch) if not delta.is_empty()]
        self._waiting = []
        for delta in deltas:
            delta.settle()
        whole, error = self._frames.append_frames([delta.frame(self._seed) for delta in deltas])
        self._on_disk += sum(delta.size for delta in deltas[:whole])
        if error is not None:
            self._refuse(error)
            for delta in deltas[whole:]:
                delta.give_up("lost_disk")
            self._wait(deltas[whole:])

    def _wait(self, batch: list[Delta]) -> None:
        room = max(0, WAITING_BOUND - len(self._waiting))
        self._waiting += [delta for delta in batch if not delta.is_empty()][:room]

    def _refuse(self, error: OSError) -> str:
        """No more admissions until the writer finds that it is over; says why."""
        reason = "disk_full" if error.errno in DISK_FULL_ERRORS else "fault"
        if self.refusal != reason:
            log.warning("history cannot be kept", reason=reason, error=str(error))
        self.refusal = reason
        return reason

    def _sync(self) -> None:
        if self._stubs is None or self._frames is None:
            return
        try:
            self._stubs.sync()
            self._frames.sync()
        except OSError as error:
            self._refuse(error)

    def _look_after(self, force: bool) -> None:
        try:
            self._do_chores(force)
        except Exception:
            self._counters.add(Slot.WRITER_FAULTS)
            log.exception("spool chores failed")

    def _do_chores(self, force: bool) -> None:
        """Every second: the bounds, the next segment, and whether a refusal is over."""
        now = time.monotonic()
        if self._segment_size() >= self._segment_bytes and self.refusal in CAN_ROTATE:
            self._rotate(now)
        if not force and now - self._looked_after < HOUSEKEEPING_SECONDS:
            return
        self._looked_after = now
        if self._frames is None:
            self._try_open()
            return
        if self._segment_size() and now - self._segment_began >= self._segment_seconds and self.refusal in CAN_ROTATE:
            self._rotate(now)
        self._on_disk = spool_bytes(self._spool_dir)
        self._end_refusal(now)

    def _end_refusal(self, now: float) -> None:
        full = self._on_disk >= self._max_bytes
        if self.refusal == "spool_full" and not full:
            self.refusal = None
        elif self.refusal is None and full:
            self.refusal = "spool_full"
            log.warning("history cannot be kept", reason="spool_full", bytes=self._on_disk)
        if self.refusal == "disk_full":
            self._make_way(now)
        # A new segment, because the bound that was met may be that of one file.
        if self.refusal in ("disk_full", "fault") and self._has_room() and self._rotate(now):
            self.refusal = "spool_full" if full else None
            log.info("history is kept again")
        if self.refusal is None and self.directory is not None:
            self._has_made_way = False
            with contextlib.suppress(OSError):
                self._reserve.keep(self.directory)
        if self._waiting:
            self._write([])

    def _make_way(self, now: float) -> None:
        """Close the segment the disk may be full of, and write the ends of its exchanges, so that it can be emptied."""
        self._reserve.spend()
        self._has_made_way = self._has_made_way or self._rotate(now)
        if self._frames is None:
            return
        for delta in self._waiting:
            delta.settle()
        whole, _ = self._frames.append_frames([delta.frame(self._seed) for delta in self._waiting])
        del self._waiting[:whole]

    def _has_room(self) -> bool:
        if self.directory is None:
            return False
        path = self.directory / "probe"
        try:
            if armed:
                hit("probe")
            with path.open("wb", buffering=0) as file:
                return file.write(bytes(PROBE_BYTES)) == PROBE_BYTES
        except OSError:
            return False
        finally:
            path.unlink(missing_ok=True)

    def _segment_size(self) -> int:
        return 0 if self._stubs is None or self._frames is None else self._stubs.size + self._frames.size

    def _try_open(self) -> None:
        try:
            spool_host(self._spool_dir)
            if self.directory is None:
                self.directory, self._lock_descriptor = create_series(self._spool_dir)
                self._seed = checksum_seed(self.directory.name)
            self._counters.prepare(self.directory)
            if self._rotate(time.monotonic()):
                self.refusal = None
        except OSError as error:
            self._refuse(error)

    def _rotate(self, now: float) -> bool:
        """Move on to the next segment. Its frames file is made last: the sign that the segment before is closed. False
        when that was not possible."""
        if self.directory is None:
            return False
        number = self._number + 1
        try:
            stubs = SegmentFile(stubs_path(self.directory, number))
            self._number = number
            with self._stub_lock:
                old_stubs, self._stubs = self._stubs, stubs
            old_frames, self._frames = self._frames, None
            for old in (old_stubs, old_frames):
                finish_file(old)
            self._frames = SegmentFile(frames_path(self.directory, number))
            sync_directory(self.directory)
        except OSError as error:
            self._refuse(error)
            return False
        self._segment_began = now
        return True

    def _shut(self) -> None:
        with self._stub_lock:
            stubs, self._stubs = self._stubs, None
        self.refusal = "fault"
        for file in (stubs, self._frames):
            finish_file(file)
        self._frames = None
        if self._lock_descriptor >= 0:
            os.close(self._lock_descriptor)
            self._lock_descriptor = -1


def finish_file(file: SegmentFile | None) -> None:
    if file is None:
        return
    try:
        file.sync()
    except OSError as error:
        log.warning("segment not forced to disk", path=str(file.path), error=str(error))
    file.close()


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
