"""Listens to the `web` processes while somebody looks, and hands what they tell to the sockets of this process.

One thread and one connection for each dashboard process, whoever many look; with nobody looking there is neither.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import structlog
from django.db import DatabaseError, InterfaceError, connection

from dashboard.live.board import Board, Numbered, Record, Since
from gateway.configuration.keeper import close_quietly
from gateway.metrics.live_channel import ASK_AGAIN_SECONDS, HELLO, LIVE_CHANNEL, WATCH_CHANNEL

LINGER_SECONDS = 20.0
"""How long it is listened on after the last one has looked."""
AGAIN_SECONDS = 1.0
WAIT_SECONDS = 0.5

log = structlog.get_logger(__name__)
Told = Callable[[Sequence[Numbered]], None]


class Hub:
    """One for each process; may be called from any thread."""

    def __init__(self) -> None:
        self.board = Board()
        self._lock = threading.Lock()
        self._listeners: dict[object, tuple[asyncio.AbstractEventLoop, Told]] = {}
        self._wanted_until = 0.0
        self._asked_at = 0.0
        self._thread: threading.Thread | None = None

    def listen(self, told: Told) -> object:
        """`told` is called on the running loop with each batch of events, until `leave` is called with what this
        returns."""
        token = object()
        with self._lock:
            self._listeners[token] = (asyncio.get_running_loop(), told)
        self.want()
        return token

    def leave(self, token: object) -> None:
        with self._lock:
            self._listeners.pop(token, None)

    def want(self) -> None:
        """Somebody looks."""
        with self._lock:
            self._wanted_until = time.monotonic() + LINGER_SECONDS
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="live-hub", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Nobody looks any more, and nobody waits for whoever may come. Blocks until the connection is given up."""
        with self._lock:
            self._wanted_until = 0.0
            self._listeners.clear()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5)

    @property
    def is_listening(self) -> bool:
        return self._thread is not None

    def since(self, boot: str, number: int, teams: frozenset[str] | None) -> Since:
        self.want()
        with self._lock:
            return self.board.since(boot, number, teams)

    def under_way(self, teams: frozenset[str] | None) -> list[Record]:
        self.want()
        with self._lock:
            return self.board.under_way(teams)

    def _is_wanted(self) -> bool:
        with self._lock:
            if self._listeners or time.monotonic() < self._wanted_until:
                return True
            self._thread = None
            self.board = Board()
            return False

    def _run(self) -> None:
        while self._is_wanted():
            try:
                self._follow()
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                log.warning("the live pages hear nothing", problem=str(error).strip().split("\n")[0])
                time.sleep(AGAIN_SECONDS)
            except Exception:
                log.exception("the live pages hear nothing")
                time.sleep(AGAIN_SECONDS)
            finally:
                close_quietly()

    def _follow(self) -> None:
        connection.ensure_connection()
        raw = connection.connection
        raw.execute(f"LISTEN {LIVE_CHANNEL}")
        self._ask(raw, HELLO)
        while self._is_wanted():
            for notice in raw.notifies(timeout=WAIT_SECONDS, stop_after=1):
                self._hear(notice.payload)
            with self._lock:
                changed, everything = self.board.tidy(), self.board.wants_all
                self.board.wants_all = False
            self._publish(changed)
            if everything or time.monotonic() - self._asked_at >= ASK_AGAIN_SECONDS:
                self._ask(raw, HELLO if everything else "")

    def _ask(self, raw: Any, payload: str) -> None:
        self._asked_at = time.monotonic()
        raw.execute("SELECT pg_notify(%s, %s)", (WATCH_CHANNEL, payload))

    def _hear(self, payload: str) -> None:
        try:
            with self._lock:
                changed = self.board.take(json.loads(payload))
        except (ValueError, KeyError, TypeError):  # another version's; what it tells is in the history
            log.warning("a notice of a web process cannot be read")
            return
        self._publish(changed)

    def _publish(self, changed: Sequence[Numbered]) -> None:
        if not changed:
            return
        with self._lock:
            listeners = list(self._listeners.items())
        for token, (loop, told) in listeners:
            try:
                loop.call_soon_threadsafe(told, changed)
            except RuntimeError:  # its loop is closed
                self.leave(token)


hub = Hub()
