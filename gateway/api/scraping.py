"""What /metrics answers, read from Postgres off the event loop; without it what this process knows.

One look serves everybody who asks within a second. A database that does not answer keeps one thread and nobody else
waiting: after two seconds the answer goes without it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import structlog
from django.db import connection
from django.utils import timezone

from gateway.history.id_times import first_id_at
from gateway.metrics.bounded import KnownModels, read_known_models
from gateway.metrics.gauges import Gauge, read_told
from gateway.metrics.tallies import Tallies, read_tallies
from gateway.version import VERSION

if TYPE_CHECKING:
    from gateway.api.runtime import Runtime

KEPT_SECONDS = 1.0
PATIENCE_SECONDS = 2.0
SESSION_MINUTES = 5
MOST_LOOKED_AT = 50_000
"""Requests of the last minutes that are looked at for their sessions."""
READ_BOOKS = """
SELECT 'records_stored_total', '', sum(stored) FROM (
    SELECT stored FROM gateway_spooltotal UNION ALL SELECT stored FROM gateway_spoolsegment
) AS booked
UNION ALL
SELECT 'records_dropped_total', reason, sum(dropped.count::bigint)
FROM gateway_spooltotal, jsonb_each_text(dropped) AS dropped (reason, count) GROUP BY reason
UNION ALL
SELECT 'telemetry_requests_total', kind, sum(telemetry.count::bigint)
FROM gateway_spooltotal, jsonb_each_text(telemetry) AS telemetry (kind, count) GROUP BY kind
"""
READ_DEAD_LETTERS = "SELECT count(*) FROM gateway_deadletter WHERE state = 'waiting'"
READ_WAITING_TRACES = "SELECT count(*) FROM gateway_waitingtrace"
READ_SESSIONS = """
SELECT count(DISTINCT session_id) FROM (
    SELECT session_id FROM gateway_requestlog WHERE id >= %s ORDER BY id DESC LIMIT %s
) AS recent
"""

log = structlog.get_logger(__name__)


class Scraping:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._reading: asyncio.Task[bytes | None] | None = None
        self._text = b""
        self._read_at = 0.0
        self._known = KnownModels()

    async def text(self) -> bytes:
        """On the event loop; never later than after some seconds."""
        if self._text and time.monotonic() - self._read_at < KEPT_SECONDS:
            return self._text
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(asyncio.to_thread(self._read))
            patience = PATIENCE_SECONDS
        else:
            patience = PATIENCE_SECONDS / 4
        done, _ = await asyncio.wait([self._reading], timeout=patience)
        text = self._reading.result() if done else None
        if text is None:
            gauges = [*named(self._runtime.gauges.collect(), self._known), *self._of_here(0)]
            return await asyncio.to_thread(rendered, Tallies(), gauges)
        self._text, self._read_at = text, time.monotonic()
        return text

    def _read(self) -> bytes | None:
        """In a thread. None: the database is away."""
        try:
            parameters = connection.get_connection_params() | {"connect_timeout": PATIENCE_SECONDS}
            parameters.pop("cursor_factory", None)
            with psycopg.connect(**parameters) as session:
                session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                session.execute("SET LOCAL statement_timeout = '5s'")
                tallies = read_tallies(session.execute)
                self._known = read_known_models(session.cursor())
                gauges = list(named(stored_gauges(session, tallies), self._known))
        except psycopg.Error as error:
            log.info("metrics without the database", error=str(error).strip().split("\n")[0])
            return None
        return rendered(tallies, [*gauges, *self._of_here(1)])

    def _of_here(self, database_up: int) -> list[Gauge]:
        return [Gauge("database_up", database_up), Gauge("build_info", 1, {"version": VERSION})]


def stored_gauges(session: psycopg.Connection[Any], tallies: Tallies) -> Iterator[Gauge]:
    """What running processes tell and what the tables say; the books are added to the tallies."""
    for told in read_told(session.cursor(), stale=True):
        if told.fresh:
            yield Gauge("processes", 1, {"role": told.role})
            yield from told.gauges
        elif told.role == "loader":
            # Nobody empties that spool any more: its oldest exchange grows older.
            yield Gauge(
                "spool_oldest_seconds", (told.value("spool_oldest_seconds") or 0.0) + told.age, {"host": told.host}
            )
    for metric, label, count in session.execute(READ_BOOKS).fetchall():
        tallies.add(metric, (label,) if label else (), float(count or 0))
    yield Gauge("dead_letters", number(session, READ_DEAD_LETTERS))
    yield Gauge("traced_requests_waiting", number(session, READ_WAITING_TRACES))
    since = first_id_at(timezone.now() - timedelta(minutes=SESSION_MINUTES))
    yield Gauge("active_sessions", number(session, READ_SESSIONS, [since, MOST_LOOKED_AT]))


def named(gauges: Iterable[Gauge], known: KnownModels) -> Iterator[Gauge]:
    """A breaker goes by the model a caller asked for, which may be anything."""
    return (gauge._replace(labels=known.labels(gauge.labels)) for gauge in gauges)


def number(session: psycopg.Connection[Any], statement: str, values: list[Any] | None = None) -> float:
    row = session.execute(statement, values).fetchone()
    return float(row[0]) if row else 0.0


def rendered(tallies: Tallies, gauges: list[Gauge]) -> bytes:
    # A process that nobody asks for metrics need not hold the library that writes them.
    from gateway.metrics.exposition import render

    return render(tallies, gauges)
