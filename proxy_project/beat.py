"""Periodic tasks, once: of all workers' beats only the one that holds a lock in Postgres sends anything."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
from celery.beat import PersistentScheduler
from django.db import connection

log = logging.getLogger(__name__)

BEAT_LOCK = 0x62656174
WAIT_SECONDS = 1.0


class BeatLock:
    """A session lock on a connection of its own: it ends with the connection, so a dead holder never blocks."""

    def __init__(self) -> None:
        self.session: psycopg.Connection[Any] | None = None

    def hold(self) -> bool:
        """Whether we hold it now. Postgres being away means that we do not."""
        try:
            if self.session is not None:
                self.session.execute("SELECT 1")
                return True
            return self.take()
        except psycopg.Error as error:
            log.info("beat waits for the database: %s", str(error).strip().split("\n")[0])
            self.release()
            return False

    def take(self) -> bool:
        session = psycopg.connect(**connection.get_connection_params(), autocommit=True)
        row = session.execute("SELECT pg_try_advisory_lock(%s)", [BEAT_LOCK]).fetchone()
        if row is None or not row[0]:
            session.close()
            return False
        self.session = session
        return True

    def release(self) -> None:
        if self.session is not None:
            self.session.close()
            self.session = None


class OnlyBeat(PersistentScheduler):
    """Opens the schedule's file, and sends, only while it holds the lock."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.lock = BeatLock()
        self.is_open = False
        super().__init__(*args, **options)

    def setup_schedule(self) -> None:
        """Not on being made: the file may be another beat's."""

    def tick(self, *args: Any, **options: Any) -> float:
        """Seconds until the next call."""
        if not self.lock.hold():
            self.close_schedule()
            return WAIT_SECONDS
        if not self.is_open:
            super().setup_schedule()
            self.is_open = True
            log.info("this worker's beat sends the periodic tasks")
        return min(WAIT_SECONDS, float(super().tick(*args, **options)))

    def close_schedule(self) -> None:
        if self.is_open:
            super().close()
            self.is_open = False
            # Made anew from the file when it is opened again.
            self._heap = None

    def sync(self) -> None:
        if self.is_open:
            super().sync()

    def close(self) -> None:
        self.close_schedule()
        self.lock.release()
