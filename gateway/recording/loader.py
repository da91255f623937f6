"""Moves what the spool holds into Postgres: one loader for each host's spool, held by a lock.

A round (`Loader.round`) reads on in every series, stores the exchanges that are over, in batches, and retires segments
all of whose exchanges are settled. What is in memory can be lost at any time: after a restart every segment that was
not retired is read again from its beginning, and what is stored already is recognised by its id.

    read     series_tail.py   files -> exchanges that are over, by the places of their frames
    build    assemble.py      frames -> everything observed of one exchange; rows.py -> its rows
    store    loading.py       a batch, one transaction with the counts of ledger.py; suspects and dead letters
    retire   here             proof that all is settled, then the files go, then the counts move to the series

The order within `retire` is what keeps the sums right for those who look on (`status.py`): a segment is counted from
its files until it is marked retired, from the ledger's row from then on, and from the series' row once the files are
gone.

Postgres away: a round raises DatabaseAway, nothing is settled, and the next attempt comes after a growing pause.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import psycopg
import structlog
from django.db import Error as DjangoDatabaseError
from django.db import connection

from gateway.history.partitions import ensure_partitions
from gateway.metrics.gauges import GaugeTeller
from gateway.recording.books import keep_copy
from gateway.recording.counters import dropped_by_reason, read_counters, telemetry_by_kind
from gateway.recording.ledger import Ledger
from gateway.recording.loader_gauges import LoaderGauges
from gateway.recording.loading import BatchStore, DatabaseAway, Finished, Suspect, guarded
from gateway.recording.open_files import OpenFiles
from gateway.recording.quarantine import Quarantine
from gateway.recording.rows import RowBuilder
from gateway.recording.series import SegmentKey, frames_path, list_series, spool_host, stubs_path
from gateway.recording.series_tail import Segment, SeriesTail
from gateway.recording.tracing import Tracer

POLL_SECONDS = 0.05
BATCH_EXCHANGES = 200
BATCH_BYTES = 16 * 1024 * 1024
LONGEST_PAUSE_SECONDS = 5.0
STOP_SECONDS = 30.0
CHORES_SECONDS = 3600.0
COUNTERS_SECONDS = 1.0
LOCK_NAME = "loader.lock"
LOCK_SECONDS = 0.5

log = structlog.get_logger(__name__)


class Loader:
    def __init__(self, spool_dir: Path, *, tag_headers: Sequence[str] = (), traced_share: float | None = None) -> None:
        """`traced_share`: which part of the requests is put down for sending as spans; None: no spans are sent."""
        self._tracer = None if traced_share is None else Tracer(traced_share)
        self._spool_dir = spool_dir
        self._host = spool_host(spool_dir)
        self._files = OpenFiles()
        self._quarantine = Quarantine(spool_dir, self._files)
        self._builder = RowBuilder(tag_headers)
        self._tails: dict[str, SeriesTail] = {}
        self._ready: deque[Finished] = deque()
        self._suspects: dict[uuid.UUID, Suspect] = {}
        self._ledger: Ledger | None = None
        self._store: BatchStore | None = None
        self._chores_due = 0.0
        self._counters_due = 0.0
        self._copy_due = 0.0
        self._copy_stale = True
        self._noted: dict[str, tuple[dict[str, int], dict[str, int]]] = {}

    def run(self, stop: Event) -> None:
        """Load until `stop` is set, then what is still to be loaded, for half a minute at most."""
        with hold_lock(self._spool_dir / LOCK_NAME, stop) as held:
            if not held:
                return
            log.info("loader started", spool=str(self._spool_dir))
            teller = self._teller()
            teller.start()
            give_up = float("inf")
            pause = 0.0
            while time.monotonic() < give_up:
                if stop.is_set() and give_up == float("inf"):
                    give_up = time.monotonic() + STOP_SECONDS
                busy, pause = self._round_or_pause(pause)
                if stop.is_set() and not busy and not pause:
                    break
                if pause or not busy:
                    wait(stop, pause or POLL_SECONDS)
            teller.stop()
        self.close()

    def _teller(self) -> GaugeTeller:
        """Tells every second what waits, from a thread of its own."""
        gauges = LoaderGauges(self._spool_dir, lambda: self._ready, lambda: self._tails, lambda: len(self._suspects))
        return GaugeTeller("loader", gauges.collect)

    def _round_or_pause(self, pause: float) -> tuple[bool, float]:
        """One round; (whether there was anything to do, seconds to wait before the next because this one failed)."""
        try:
            busy = self.round()
        except DatabaseAway as away:
            if not pause:
                log.warning("database away; the spool holds", error=str(away))
            self._disconnect()
        except Exception:
            log.exception("loader round failed")
            self._disconnect()
        else:
            if pause:
                log.info("loading again")
            return busy, 0.0
        return False, min(LONGEST_PAUSE_SECONDS, pause * 2 or POLL_SECONDS * 2)

    def round(self) -> bool:
        """Read on, store, retire. True when there was something to do. Raises DatabaseAway."""
        self._read()
        if not self._tails and not self._copy_stale and self._store is not None and time.monotonic() < self._chores_due:
            return False
        store = self._connect()
        self._chores()
        busy = bool(self._ready)
        while self._ready:
            batch = self._next_batch()
            store.store(batch)
            for _ in batch:
                self._ready.popleft()
        store.retry_suspects()
        retired = self._retire()
        self._copy_books(retired, retired or busy)
        return retired or busy

    def _copy_books(self, retired: bool, changed: bool) -> None:
        """Keep the copy for `status` without a database; at once when files it counts by are gone."""
        self._copy_stale = self._copy_stale or changed
        if not self._copy_stale or not (retired or time.monotonic() >= self._copy_due):
            return
        try:
            keep_copy(self._spool_dir)
        except DjangoDatabaseError as error:
            raise DatabaseAway(str(error)) from error
        self._copy_stale = False
        self._copy_due = time.monotonic() + COUNTERS_SECONDS

    def close(self) -> None:
        self._files.close()
        self._disconnect()

    def _read(self) -> None:
        for directory in list_series(self._spool_dir):
            if directory.name not in self._tails:
                self._tails[directory.name] = SeriesTail(directory, self._files, self._quarantine)
        for tail in self._tails.values():
            try:
                self._ready += [Finished(tail, tracked) for tracked in tail.poll()]
            except OSError as error:
                log.warning("series cannot be read", series=tail.directory.name, error=str(error))

    def _next_batch(self) -> list[Finished]:
        batch: list[Finished] = []
        size = 0
        for item in self._ready:
            size += item.tracked.size()
            if batch and (len(batch) >= BATCH_EXCHANGES or size > BATCH_BYTES):
                break
            batch.append(item)
        return batch

    def _connect(self) -> BatchStore:
        if self._store is not None:
            return self._store
        try:
            connection.ensure_connection()
        except DjangoDatabaseError as error:
            raise DatabaseAway(str(error)) from error
        raw: psycopg.Connection[tuple[object, ...]] = connection.connection
        self._ledger = Ledger(raw, self._host)
        guarded(self._clear_leftovers)
        self._store = BatchStore(raw, self._ledger, self._files, self._builder, self._suspects, self._tracer)
        return self._store

    def _disconnect(self) -> None:
        self._store = None
        self._ledger = None
        self._noted.clear()
        connection.close()

    def _clear_leftovers(self) -> None:
        """Segments a former loader retired and did not come to remove."""
        ledger = self._open_ledger()
        for key in ledger.leftover():
            directory = self._spool_dir / key.series
            tail = self._tails.get(key.series)
            if tail is not None and key.number in tail.segments:
                continue
            for path in (frames_path(directory, key.number), stubs_path(directory, key.number)):
                path.unlink(missing_ok=True)
            ledger.fold(key)

    def _chores(self) -> None:
        if time.monotonic() >= self._chores_due:
            try:
                ensure_partitions()
            except DjangoDatabaseError as error:
                raise DatabaseAway(str(error)) from error
            self._chores_due = time.monotonic() + CHORES_SECONDS

    def _retire(self) -> bool:
        busy = False
        for name, tail in list(self._tails.items()):
            self._judge_strays(tail)
            for segment in tail.retirable():
                self._retire_segment(tail, segment)
                busy = True
            if tail.is_over:
                self._close_series(tail)
                del self._tails[name]
        if time.monotonic() >= self._counters_due:
            self._counters_due = time.monotonic() + COUNTERS_SECONDS
            for tail in self._tails.values():
                self._note_counters(tail, gone=False)
        return busy

    def _judge_strays(self, tail: SeriesTail) -> None:
        """Frames whose stub went with a segment that a former loader retired belong to an exchange that is stored."""
        while tail.strays:
            tracked = tail.strays[-1]
            ids = [uuid.UUID(bytes=tracked.exchange_id)]
            if guarded(lambda ids=ids: self._open_ledger().settled(ids)):  # type: ignore[misc]
                tail.settle(tracked)
            else:
                tail.set_aside(tracked)
            tail.strays.pop()

    def _retire_segment(self, tail: SeriesTail, segment: Segment) -> None:
        ledger = self._open_ledger()
        key = SegmentKey(tail.directory.name, segment.number)
        ids = {uuid.UUID(bytes=admitted) for admitted in segment.admitted}
        settled = guarded(lambda: ledger.settled(list(ids)))
        if settled != len(ids):
            log.error("segment not proved; reading its series again", segment=key, admitted=len(ids), settled=settled)
            self._forget(tail)
            raise DatabaseAway(f"{len(ids) - settled} exchanges of segment {key} are not in the history")
        guarded(lambda: ledger.retire(key))
        tail.remove(segment)
        guarded(lambda: ledger.fold(key))

    def _forget(self, tail: SeriesTail) -> None:
        """Read the series again from its beginning."""
        self._tails.pop(tail.directory.name, None)
        self._ready = deque(item for item in self._ready if item.series is not tail)
        for id, suspect in list(self._suspects.items()):
            if suspect.item.series is tail:
                del self._suspects[id]

    def _close_series(self, tail: SeriesTail) -> None:
        """Nothing is left but its counters: they go to the books, and the directory goes."""
        self._note_counters(tail, gone=True)
        self._noted.pop(tail.directory.name, None)
        shutil.rmtree(tail.directory, ignore_errors=True)
        self._copy_stale = True

    def _note_counters(self, tail: SeriesTail, *, gone: bool) -> None:
        ledger = self._open_ledger()
        name = tail.directory.name
        counters = read_counters(tail.directory)
        counts = (dropped_by_reason(counters), telemetry_by_kind(counters))
        if gone or self._noted.get(name, ({}, {})) != counts:
            guarded(lambda: ledger.note_series(name, *counts, gone=gone))
            self._noted[name] = counts

    def _open_ledger(self) -> Ledger:
        if self._ledger is None:
            raise DatabaseAway("not connected")
        return self._ledger


@contextmanager
def hold_lock(path: Path, stop: Event) -> Iterator[bool]:
    """Hold the spool's lock; waits while another loader does. False when `stop` was set before it was had."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield wait_for_lock(descriptor, stop)
    finally:
        os.close(descriptor)


def wait_for_lock(descriptor: int, stop: Event) -> bool:
    told = False
    while not stop.is_set():
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not told:
                log.info("another loader has this spool; waiting for it")
            told = True
            stop.wait(LOCK_SECONDS)
        else:
            return True
    return False


def wait(stop: Event, seconds: float) -> None:
    """Once stopping is under way the event no longer waits, but a pause is still one."""
    if stop.is_set():
        time.sleep(seconds)
    else:
        stop.wait(seconds)
