"""Sends notices to the live pages while somebody looks.

A database that is away or slow costs notices, never a request: what waits is bounded, and what is lost shows as a gap
in the numbers. A thread opens the connection, and waits until it is to be closed; the event loop writes to it without
waiting for room or for an answer. (A thread that sent each notice was woken seven times a second, and the switches cost
as much as all else that is done for the live pages.)
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import chain

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, connection
from psycopg.pq.abc import PGconn

from gateway.configuration.keeper import close_quietly
from gateway.metrics.live_channel import LIVE_CHANNEL

MOST_WAITING = 500
MOST_AT_ONCE = 50
AGAIN_SECONDS = 1.0

log = structlog.get_logger(__name__)


class LiveTeller:
    """`tell` puts a notice into a bounded list, `send` sends what waits as far as that can be done at once. Neither
    waits or raises."""

    def __init__(self) -> None:
        self.waiting: deque[bytes] = deque()
        self.database: PGconn | None = None
        """None: there is no connection now."""
        self._has_more = False
        """Of what was written, the socket did not take all."""
        self.thread = threading.Thread(target=self._run, name="live-teller", daemon=True)
        self._stopping = False
        self._spent = threading.Event()
        """The connection is to be closed."""

    def start(self) -> None:
        self.thread.start()

    def tell(self, notice: str) -> None:
        """When too many wait, it is lost."""
        if len(self.waiting) < MOST_WAITING:
            self.waiting.append(notice.encode())

    def send(self) -> None:
        database = self.database
        if database is None or not (self.waiting or self._has_more):
            return
        try:
            if is_free(database):
                count = min(len(self.waiting), MOST_AT_ONCE)
                self._has_more = bool(count) and write(database, [self.waiting.popleft() for _ in range(count)])
        except psycopg.Error as error:
            self.database = None
            log.warning("live pages are told nothing", problem=str(error).strip().split("\n")[0])
            self._spent.set()

    def stop(self) -> None:
        """Returns at once; the thread ends after what it is at."""
        self._stopping = True
        self.database = None
        self._spent.set()

    def _run(self) -> None:
        while not self._stopping:
            self._spent.clear()
            try:
                self._open()
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                log.warning("live pages are told nothing", problem=str(error).strip().split("\n")[0])
            except Exception:
                log.exception("live pages are told nothing")
            else:
                if not self._stopping:
                    self._spent.wait()
            self.database = None
            close_quietly()
            if not self._stopping:
                self._spent.clear()
                self._spent.wait(AGAIN_SECONDS)

    def _open(self) -> None:
        connection.ensure_connection()
        database = connection.connection.pgconn
        database.nonblocking = 1
        self.database = database


def is_free(database: PGconn) -> bool:
    """What was sent before has been taken. Raises psycopg.Error when it was not, or the connection has ended."""
    database.consume_input()
    if database.flush():
        return False
    while not database.is_busy():
        result = database.get_result()
        if result is None:
            return True
        if result.error_message:
            raise psycopg.OperationalError(result.error_message.decode("utf-8", "replace"))
    return False


def write(database: PGconn, notices: Sequence[bytes]) -> bool:
    """One statement tells them all, in this order. Whether the socket has no room for a part of it."""
    calls = b", ".join(b"pg_notify($%d, $%d)" % (2 * at + 1, 2 * at + 2) for at in range(len(notices)))
    channel = LIVE_CHANNEL.encode()
    database.send_query_params(b"SELECT " + calls, list(chain.from_iterable((channel, notice) for notice in notices)))
    return bool(database.flush())
