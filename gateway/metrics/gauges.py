"""What running processes say of themselves, every second, and how it is read.

A process tells from a thread of its own, so that a database that is away or slow holds up nothing else; what it knows
is replaced whole, so that nothing stale stays. `read_gauges` gives those of the processes that have told lately: one
that died vanishes.
"""

from __future__ import annotations

import datetime
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone

EVERY_SECONDS = 1.0
FRESH_SECONDS = 15.0
"""Whoever has not told for so long is gone."""
KEPT = "1 day"

TELL = """
INSERT INTO gateway_processgauges (process, role, host, began_at, told_at, gauges)
VALUES (%(process)s, %(role)s, %(host)s, %(began_at)s, now(), %(gauges)s)
ON CONFLICT (process) DO UPDATE SET
    began_at = EXCLUDED.began_at, told_at = EXCLUDED.told_at, gauges = EXCLUDED.gauges
"""
READ = """
SELECT process, role, host, began_at, told_at, extract(epoch FROM now() - told_at), gauges FROM gateway_processgauges
ORDER BY process
"""
SWEEP = f"DELETE FROM gateway_processgauges WHERE told_at < now() - interval '{KEPT}'"  # noqa: S608

log = structlog.get_logger(__name__)


class Gauge(NamedTuple):
    """A measure of this moment, by the name it has in /metrics without `turnlog_`."""

    name: str
    value: float
    labels: Mapping[str, str] = {}


@dataclass(frozen=True)
class Told:
    """What one process told, `age` seconds ago."""

    process: str
    role: str
    host: str
    began_at: datetime.datetime
    told_at: datetime.datetime
    age: float
    gauges: Sequence[Gauge] = field(default_factory=list)

    @property
    def fresh(self) -> bool:
        return self.age < FRESH_SECONDS

    def value(self, name: str) -> float | None:
        """The sum of a gauge over its labels; None: the process does not say."""
        found = [gauge.value for gauge in self.gauges if gauge.name == name]
        return sum(found) if found else None


def read_told(cursor: Any, *, stale: bool = False) -> list[Told]:
    """By Django's cursor or psycopg's; with `stale` also of processes that have not told for a while. Raises the
    cursor's errors."""
    cursor.execute(READ)
    told = [as_told(row) for row in cursor.fetchall()]
    return [one for one in told if stale or one.fresh]


def as_told(row: tuple[Any, ...]) -> Told:
    process, role, host, began_at, told_at, age, gauges = row
    decoded = json.loads(gauges) if isinstance(gauges, str) else gauges
    return Told(process, role, host, began_at, told_at, float(age), [Gauge(*each) for each in decoded])


class GaugeTeller:
    """The thread. `collect` is called in it with the names of process and host and gives what is known now; None:
    nothing new, and then nothing is told. `besides` is called in the same transaction, `done` when it is committed."""

    def __init__(
        self,
        role: str,
        collect: Callable[[str, str], Sequence[Gauge] | None],
        besides: Callable[[], None] = lambda: None,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        self.role = role
        self.host = socket.gethostname()[:64]
        self.process = f"{role} {self.host}:{os.getpid()}"
        self.reaches_database = False
        self._collect, self._besides, self._done = collect, besides, done
        self._began_at = timezone.now()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._away = False

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="gauges", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Blocks for two seconds at most."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def _run(self) -> None:
        self._attempt(self._sweep)
        while not self._stopping.wait(EVERY_SECONDS):
            self._attempt(self._tell)
        if self.reaches_database:
            self._attempt(self._leave)
        connection.close()

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
            self.reaches_database, self._away = True, False
        except (DatabaseError, InterfaceError) as error:
            self.reaches_database = False
            if not self._away:
                log.info("gauges are not told: the database is away", error=str(error).strip().split("\n")[0])
            self._away = True
            connection.close()
        except Exception:
            log.exception("gauges could not be told")

    def _tell(self) -> None:
        gauges = self._collect(self.process, self.host)
        if gauges is None:
            return
        values: dict[str, Any] = {
            "process": self.process,
            "role": self.role,
            "host": self.host,
            "began_at": self._began_at,
            "gauges": json.dumps(gauges),
        }
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(TELL, values)
            self._besides()
        self._done()

    def _sweep(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(SWEEP)

    def _leave(self) -> None:
        """What is left to count is counted, and the row goes."""
        with transaction.atomic():
            self._besides()
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM gateway_processgauges WHERE process = %s", [self.process])
        self._done()
