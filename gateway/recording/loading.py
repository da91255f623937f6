"""Stores exchanges in batches, and finds the one that spoils its batch.

A batch is one transaction: rows, counts of the ledger, notice. What is there already is left out, so storing again is
harmless. When a batch fails for what is in it, its halves are tried, down to the single exchange; that one is tried
again some times, apart from the others, and then becomes a dead letter. When it fails for the database's sake
(`DatabaseAway`), nothing is settled and the caller comes again with the same exchanges.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import psycopg
import structlog

from gateway.history.prices import PriceShelf
from gateway.history.tree_writer import StalePlans
from gateway.history.writer import ExchangeRows, HistoryWriter
from gateway.metrics.tallies import shard_of
from gateway.models.at_rest import seal
from gateway.recording.assemble import assemble, pack_frames, read_frames
from gateway.recording.completed_log import log_completed
from gateway.recording.failpoints import armed, hit
from gateway.recording.ledger import Ledger
from gateway.recording.open_files import OpenFiles
from gateway.recording.rows import RowBuilder
from gateway.recording.series import SegmentKey
from gateway.recording.series_tail import SeriesTail, Tracked
from gateway.recording.tallying import Tallier
from gateway.recording.text import clean
from gateway.recording.tracing import Tracer

MOST_TRIES = 5
FIRST_RETRY_SECONDS = 0.1
NOTICE = "turnlog_stored"
POISON_CLASSES = ("21", "22", "23", "44", "54", "P0")
"""SQLSTATE classes that blame the data: cardinality, data, integrity, check option, program limits, triggers."""

Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class DatabaseAway(Exception):
    """The database cannot be used now; nothing was decided about any exchange."""


@dataclass(frozen=True, slots=True)
class Finished:
    """An exchange that is over, and the series it is settled with."""

    series: SeriesTail
    tracked: Tracked

    @property
    def id(self) -> uuid.UUID:
        return uuid.UUID(bytes=self.tracked.exchange_id)

    def segment(self) -> SegmentKey:
        """Where it is counted: the segment of its stub."""
        stub = self.tracked.stub
        return SegmentKey(self.series.directory.name, stub.number if stub else 0)

    def accepted(self) -> int:
        """Admissions read so far of its segment."""
        return len(self.series.segments[self.segment().number].admitted)

    def settle(self) -> None:
        self.series.settle(self.tracked)


@dataclass(slots=True)
class Suspect:
    """An exchange that could not be stored by itself."""

    item: Finished
    tries: int = 0
    due: float = 0.0
    error: str = ""


class BatchStore:
    """Over one database connection."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        ledger: Ledger,
        files: OpenFiles,
        builder: RowBuilder,
        suspects: dict[uuid.UUID, Suspect],
        tracer: Tracer | None = None,
    ) -> None:
        self._connection = connection
        self._ledger = ledger
        self._files = files
        self._builder = builder
        self._writer = HistoryWriter(connection)
        self._suspects = suspects
        self._prices = PriceShelf()
        self._tallier = Tallier(shard_of(ledger.host))
        self._tracer = tracer

    def store(self, batch: Sequence[Finished]) -> None:
        """Settle every exchange of the batch, or make it a suspect. Raises DatabaseAway."""
        known = guarded(partial(self._known, batch))
        guarded(self._follow_configuration)
        fresh = []
        for item in batch:
            if item.id in known:
                self._settle(item)
            elif (rows := self._build(item)) is not None:
                fresh.append((item, rows))
        if fresh:
            self._store_or_split(fresh)

    def retry_suspects(self) -> None:
        """Try those again whose time has come; bury those tried often enough. Raises DatabaseAway."""
        now = time.monotonic()
        for suspect in [suspect for suspect in self._suspects.values() if suspect.due <= now]:
            if suspect.tries >= MOST_TRIES:
                guarded(partial(self._bury, suspect))
            else:
                self.store([suspect.item])

    def _follow_configuration(self) -> None:
        prices = self._prices.current(self._connection)
        if prices is not self._builder.prices:
            self._tallier.learn(self._connection)
            self._builder.prices = prices

    def _known(self, batch: Sequence[Finished]) -> set[uuid.UUID]:
        ids = [item.id for item in batch]
        return self._writer.known(ids) | self._ledger.known_dead(ids)

    def _build(self, item: Finished) -> ExchangeRows | None:
        try:
            if armed:
                hit("build")
            tracked = item.tracked
            return self._builder.build(assemble(tracked.exchange_id, read_frames(tracked, self._files)))
        except Exception as error:
            self._suspect(item, error)
            return None

    def _store_or_split(self, fresh: Sequence[tuple[Finished, ExchangeRows]]) -> None:
        try:
            guarded(partial(self._write, fresh))
        except DatabaseAway:
            raise
        except StalePlans:
            # What was planned upon is void now; planned anew, nothing is taken for stored.
            self._store_or_split([(item, rows) for item, _ in fresh if (rows := self._build(item)) is not None])
            return
        except Exception as error:
            # It may also be that a month was dropped beneath us.
            self._writer.forget_months()
            if len(fresh) == 1:
                self._suspect(fresh[0][0], error)
                return
            middle = len(fresh) // 2
            self._store_or_split(fresh[:middle])
            self._store_or_split(fresh[middle:])
            return
        log_completed([rows for _, rows in fresh])
        for item, _ in fresh:
            self._settle(item)

    def _write(self, fresh: Sequence[tuple[Finished, ExchangeRows]]) -> None:
        rows = [row for _, row in fresh]
        self._writer.ensure_months(rows)
        counts = Counter(item.segment() for item, _ in fresh)
        accepted = {item.segment(): item.accepted() for item, _ in fresh}
        with self._connection.transaction():
            self._writer.write(rows)
            self._tallier.write(self._connection, rows)
            if self._tracer is not None:
                self._tracer.write(self._connection, rows)
            for segment, count in counts.items():
                self._ledger.add(segment, accepted=accepted[segment], stored=count)
            self._connection.execute("SELECT pg_notify(%s, %s)", [NOTICE, str(max(row.id for row in rows))])
            if armed:
                hit("commit")
        self._writer.settle(rows)

    def _bury(self, suspect: Suspect) -> None:
        item = suspect.item
        frames = self._frames_of(item)
        reason, _, detail = suspect.error.partition("\n")
        with self._connection.transaction():
            if self._ledger.add_dead_letter(item.id, clean(reason), clean(detail), suspect.tries, frames):
                self._ledger.add(item.segment(), accepted=item.accepted(), dead=1)
        log.error("exchange could not be stored; it is a dead letter now", request_id=str(item.id), reason=reason)
        self._settle(item)

    def _frames_of(self, item: Finished) -> bytes:
        try:
            return seal(pack_frames(item.tracked.exchange_id, read_frames(item.tracked, self._files)))
        except OSError as error:
            log.warning("frames of a dead letter cannot be read", request_id=str(item.id), error=str(error))
            return b""

    def _suspect(self, item: Finished, error: Exception) -> None:
        suspect = self._suspects.setdefault(item.id, Suspect(item))
        suspect.tries += 1
        suspect.due = time.monotonic() + FIRST_RETRY_SECONDS * 2 ** (suspect.tries - 1)
        if suspect.tries >= MOST_TRIES:
            suspect.due = 0.0
        suspect.error = f"{type(error).__name__}: {error}"
        log.warning("exchange not stored", request_id=str(item.id), tries=suspect.tries, error=suspect.error)

    def _settle(self, item: Finished) -> None:
        self._suspects.pop(item.id, None)
        item.settle()


def guarded(work: Callable[[], Result]) -> Result:
    """Do the work; a database error that does not blame the data becomes DatabaseAway."""
    try:
        return work()
    except psycopg.Error as error:
        state = error.sqlstate or ""
        if state[:2] in POISON_CLASSES:
            raise
        raise DatabaseAway(f"{type(error).__name__}: {error}") from error
