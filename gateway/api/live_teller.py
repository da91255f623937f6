"""Sends notices to the live pages, from a thread that is there only while somebody looks.

A database that is away or slow costs notices, never a request: what waits is bounded, and what is lost shows as a gap
in the numbers.
"""

from __future__ import annotations

import contextlib
import queue
import threading

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, connection

from gateway.configuration.keeper import close_quietly
from gateway.metrics.live_channel import LIVE_CHANNEL

MOST_WAITING = 500
AGAIN_SECONDS = 1.0

log = structlog.get_logger(__name__)


class LiveTeller:
    """`tell` puts a notice into a bounded list and returns; when that is full, the notice is lost."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="live-teller", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def tell(self, notice: str | None) -> None:
        """None only wakes the thread."""
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(notice)

    def stop(self) -> None:
        """Returns at once; the thread ends after what it is at."""
        self._stopping.set()
        self.tell(None)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._send()
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                log.warning("live pages are told nothing", problem=str(error).strip().split("\n")[0])
                self._stopping.wait(AGAIN_SECONDS)
            except Exception:
                log.exception("live pages are told nothing")
                self._stopping.wait(AGAIN_SECONDS)
            finally:
                close_quietly()

    def _send(self) -> None:
        connection.ensure_connection()
        raw = connection.connection
        while not self._stopping.is_set():
            notice = self._waiting.get()
            if notice is not None:
                raw.execute("SELECT pg_notify(%s, %s)", (LIVE_CHANNEL, notice))
