"""What the loader says of the spool, every second and from a thread of its own: also in the middle of a long batch."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil

from gateway.metrics.gauges import Gauge
from gateway.recording.loading import Finished
from gateway.recording.series import frames_path, spool_bytes
from gateway.recording.series_tail import SeriesTail, Tracked


class EndedAt(msgspec.Struct, array_like=True):
    at_us: int


class LastRecord(msgspec.Struct):
    """Of a progress record only when the exchange ended."""

    end: EndedAt | None = None


decode = msgspec.msgpack.Decoder(LastRecord).decode


class LoaderGauges:
    """Looks at what the loader works on, without a lock: a count may be a moment old."""

    def __init__(
        self,
        spool_dir: Path,
        ready: Callable[[], deque[Finished]],
        tails: Callable[[], dict[str, SeriesTail]],
        suspects: Callable[[], int],
    ) -> None:
        self._spool_dir = spool_dir
        self._ready, self._tails, self._suspects = ready, tails, suspects
        self._process = psutil.Process()
        self._began = time.monotonic()

    def collect(self, process: str, host: str) -> list[Gauge]:
        with suppress(IndexError, RuntimeError):  # it was just stored
            oldest = self._ready()[0]
            return list(self._gauges(process, host, oldest))
        return list(self._gauges(process, host, None))

    def _gauges(self, process: str, host: str, oldest: Finished | None) -> Iterator[Gauge]:
        yield Gauge("spool_records", len(self._ready()))
        yield Gauge("spool_open_records", sum(tail.open_count for tail in list(self._tails().values())))
        yield Gauge("spool_oldest_seconds", age_of(oldest.tracked) if oldest else 0.0, {"host": host})
        yield Gauge("spool_bytes", spool_bytes(self._spool_dir), {"host": host})
        yield Gauge("loader_suspects", self._suspects())
        yield Gauge("process_resident_memory_bytes", self._process.memory_info().rss, {"process": process})
        yield Gauge("process_uptime_seconds", round(time.monotonic() - self._began, 3), {"process": process})


def age_of(tracked: Tracked) -> float:
    """Seconds since the exchange ended; of one without an end since it was admitted."""
    ended_ms = milliseconds_of(tracked.exchange_id)
    with suppress(OSError, msgspec.DecodeError, IndexError):
        last = decode(last_meta(tracked))
        ended_ms += last.end.at_us // 1000 if last.end else 0
    return round(max(0.0, time.time() - ended_ms / 1000), 3)


def last_meta(tracked: Tracked) -> bytes:
    extent = tracked.frames[-1]
    descriptor = os.open(frames_path(tracked.directory, extent.number), os.O_RDONLY)
    try:
        return os.pread(descriptor, extent.blob_start - extent.meta_start, extent.meta_start)
    finally:
        os.close(descriptor)


def milliseconds_of(exchange_id: bytes) -> int:
    """The time in a UUIDv7."""
    return int.from_bytes(exchange_id[:6], "big")
