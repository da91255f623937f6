"""The loader's bookkeeping in Postgres: how many admissions of each segment are stored or dead.

Counts rise in the transaction that stores the rows they count, so they are right whenever they can be read. A segment
is retired when a query has proved each of its admissions to be in the history or among the dead letters; only then do
its files go, and only then are its counts added to those of its series.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from gateway.history.partitions import month_of
from gateway.recording.series import SegmentKey

ADD_COUNTS = """
INSERT INTO gateway_spoolsegment AS kept (host, series, number, accepted, stored, dead, retired, updated_at)
VALUES (%(host)s, %(series)s, %(number)s, %(accepted)s, %(stored)s, %(dead)s, false, now())
ON CONFLICT (series, number) DO UPDATE SET
    accepted = greatest(kept.accepted, EXCLUDED.accepted),
    stored = kept.stored + EXCLUDED.stored,
    dead = kept.dead + EXCLUDED.dead,
    updated_at = now()
"""
COUNT_SETTLED = """
SELECT count(*) FROM (
    SELECT id FROM gateway_requestlog WHERE id = ANY(%(ids)s)
    UNION
    SELECT exchange_id FROM gateway_deadletter WHERE exchange_id = ANY(%(ids)s)
    UNION
    SELECT exchange_id FROM gateway_erasedexchange WHERE exchange_id = ANY(%(ids)s)
) AS settled
"""
RETIRE = """
INSERT INTO gateway_spoolsegment AS kept (host, series, number, accepted, stored, dead, retired, updated_at)
VALUES (%(host)s, %(series)s, %(number)s, 0, 0, 0, true, now())
ON CONFLICT (series, number) DO UPDATE SET accepted = kept.stored + kept.dead, retired = true, updated_at = now()
"""
FOLD = """
WITH gone AS (
    DELETE FROM gateway_spoolsegment WHERE series = %(series)s AND number = %(number)s AND retired
    RETURNING host, series, accepted, stored, dead
)
INSERT INTO gateway_spooltotal AS kept
    (host, series, accepted, stored, dead, dropped, telemetry, gone, updated_at)
SELECT host, series, accepted, stored, dead, '{}', '{}', false, now() FROM gone
ON CONFLICT (series) DO UPDATE SET
    accepted = kept.accepted + EXCLUDED.accepted,
    stored = kept.stored + EXCLUDED.stored,
    dead = kept.dead + EXCLUDED.dead,
    updated_at = now()
"""
CLOSE_SERIES = """
INSERT INTO gateway_spooltotal AS kept
    (host, series, accepted, stored, dead, dropped, telemetry, gone, updated_at)
VALUES (%(host)s, %(series)s, 0, 0, 0, %(dropped)s, %(telemetry)s, %(gone)s, now())
ON CONFLICT (series) DO UPDATE SET
    dropped = EXCLUDED.dropped, telemetry = EXCLUDED.telemetry, gone = EXCLUDED.gone, updated_at = now()
"""
ADD_DEAD_LETTER = """
INSERT INTO gateway_deadletter (exchange_id, reason, detail, attempts, state, frames, created_at, updated_at)
VALUES (%(id)s, %(reason)s, %(detail)s, %(attempts)s, 'waiting', %(frames)s, now(), now())
ON CONFLICT (exchange_id) DO NOTHING
"""


class Ledger:
    """One host's spool in the books, over one psycopg connection. All methods raise psycopg.Error."""

    def __init__(self, connection: psycopg.Connection[Any], host: str) -> None:
        self._connection = connection
        self.host = host

    def add(self, segment: SegmentKey, *, accepted: int, stored: int = 0, dead: int = 0) -> None:
        """Count what the surrounding transaction stores; `accepted` is what was read of the segment so far."""
        counts = {"accepted": accepted, "stored": stored, "dead": dead}
        self._execute(ADD_COUNTS, {"host": self.host, **segment._asdict(), **counts})

    def known_dead(self, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
        """Those of the ids that are dead letters, in whatever state."""
        with psycopg.Cursor(self._connection) as cursor:
            cursor.execute("SELECT exchange_id FROM gateway_deadletter WHERE exchange_id = ANY(%s)", [list(ids)])
            return {row[0] for row in cursor}

    def add_dead_letter(self, exchange_id: uuid.UUID, reason: str, detail: str, attempts: int, frames: bytes) -> bool:
        """False when there is one for this exchange already."""
        values = {"id": exchange_id, "reason": reason, "detail": detail, "attempts": attempts, "frames": frames}
        return self._execute(ADD_DEAD_LETTER, values) == 1

    def settled(self, ids: Sequence[uuid.UUID]) -> int:
        """How many of the distinct ids are in the history or among the dead letters, or were there and were removed."""
        with psycopg.Cursor(self._connection) as cursor:
            cursor.execute("SELECT month FROM gateway_droppedmonth")
            dropped = {row[0] for row in cursor}
            left = [id for id in ids if month_of(id.bytes) not in dropped] if dropped else list(ids)
            cursor.execute(COUNT_SETTLED, {"ids": left})
            row = cursor.fetchone()
        return (row[0] if row else 0) + len(ids) - len(left)

    def retire(self, segment: SegmentKey) -> None:
        self._execute(RETIRE, {"host": self.host, **segment._asdict()})

    def fold(self, segment: SegmentKey) -> None:
        """Add a retired segment, whose files are gone, to its series; doing it twice adds once."""
        self._execute(FOLD, segment._asdict())

    def leftover(self) -> list[SegmentKey]:
        """All retired segments of this host that are not yet folded."""
        with psycopg.Cursor(self._connection) as cursor:
            cursor.execute("SELECT series, number FROM gateway_spoolsegment WHERE host = %s AND retired", [self.host])
            return [SegmentKey(*row) for row in cursor]

    def note_series(self, series: str, dropped: Mapping[str, int], telemetry: Mapping[str, int], *, gone: bool) -> None:
        """What the series' process counted; `gone` when its directory is about to be removed."""
        values = {"dropped": Jsonb(dict(dropped)), "telemetry": Jsonb(dict(telemetry)), "gone": gone}
        self._execute(CLOSE_SERIES, {"host": self.host, "series": series, **values})

    def _execute(self, statement: str, values: Mapping[str, Any]) -> int:
        with psycopg.Cursor(self._connection) as cursor:
            cursor.execute(statement, values)
            return cursor.rowcount
