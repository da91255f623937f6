"""Keeps the snapshot true: a thread that listens for changes and replaces the snapshot whole.

A change is announced by a trigger (`NOTIFY turnlog_config`, see migration 0002); the version number is read every half
second besides, because a notice is lost when the connection is. While the database is away the last one stays in force;
a process that starts meanwhile takes the copy that the last reading left on disk.
The event loop only ever reads the reference `current`, which is replaced atomically.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from gateway.configuration.access_file import AccessFile
from gateway.configuration.building import build_snapshot
from gateway.configuration.sealing import access_key_pepper
from gateway.configuration.tables import Tables, read_copy, read_tables, stored_version, write_copy
from gateway.policy.snapshot import Snapshot

log = logging.getLogger(__name__)

CHANNEL = "turnlog_config"
CHECK_SECONDS = 0.5
RETRY_SECONDS = 0.5


class ConfigurationKeeper:
    """`current` is None until the configuration has been read once; `problem` says why it cannot be read now."""

    def __init__(self, copy: Path | None = None) -> None:
        self.current: Snapshot | None = None
        self.problem: str | None = "the configuration has not been read yet"
        self.access_file = AccessFile(settings.TURNLOG.access_keys_file, access_key_pepper())
        self.listeners: dict[str, Callable[[str], None]] = {}
        """What else is listened for on this connection, by channel; called in this thread with the notice's text."""
        self._copy = copy
        self._stopping = threading.Event()
        self._loaded = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to read and to listen; raises WrongAccessFile. Returns before the first snapshot is there."""
        self.access_file.load()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="configuration-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=2 * CHECK_SECONDS + 1)

    def wait_loaded(self, timeout: float) -> bool:
        """Blocks up to `timeout` seconds for the first snapshot."""
        return self._loaded.wait(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except (DatabaseError, InterfaceError, psycopg.Error) as error:
                self._note_problem(f"the database cannot be read: {error}".strip().split("\n")[0])
            except Exception as error:  # a row no code foresaw must not end the thread that would see its mend
                log.exception("the configuration could not be read")
                self._note_problem(f"the configuration cannot be read: {error!r}")
            close_quietly()
            self._stopping.wait(RETRY_SECONDS)

    def _note_problem(self, problem: str) -> None:
        if self.current is None:
            self._take_copy()
        if problem != self.problem:
            log.warning("%s; %s", problem, "the last one stays in force" if self.current else "none is in force yet")
        self.problem = problem

    def _follow(self) -> None:
        """Listen on one connection until it breaks or we stop."""
        connection.ensure_connection()
        raw = connection.connection
        for channel in (CHANNEL, *self.listeners):
            raw.execute(f"LISTEN {channel}")
        self._replace()
        while not self._stopping.is_set():
            # A notice of a change only ends the wait: what changed is read from the tables.
            for notice in raw.notifies(timeout=CHECK_SECONDS, stop_after=1):
                if notice.channel in self.listeners:
                    self.listeners[notice.channel](notice.payload)
            changed_file = self.access_file.refresh()
            if changed_file or self.current is None or stored_version() != self.current.version:
                self._replace()

    def _replace(self) -> None:
        tables = read_tables()
        snapshot = build_snapshot(self.access_file.callers, tables)
        if self.current is not None and self.problem is None:
            log.info("configuration %d is in force", snapshot.version)
        self.current = snapshot
        self.problem = None
        self._loaded.set()
        self._write_copy(tables)

    def _write_copy(self, tables: Tables) -> None:
        if self._copy is None:
            return
        try:
            write_copy(self._copy, tables)
        except OSError as error:
            log.warning("the configuration cannot be copied to %s: %s", self._copy, error.strerror)

    def _take_copy(self) -> None:
        """Serve by what the last reading left on disk until the database answers."""
        tables = read_copy(self._copy) if self._copy is not None else None
        if tables is None:
            return
        try:
            self.current = build_snapshot(self.access_file.callers, tables)
        except Exception:
            log.exception("the copy of the configuration cannot be used")
            return
        self._loaded.set()
        log.warning("configuration %d is in force, from its copy on disk", tables.version)


def close_quietly() -> None:
    try:
        connection.close()
    except (DatabaseError, InterfaceError, psycopg.Error):
        connection.connection = None
