"""The embedded PostgreSQL as the supervisor sees it: kept alive, or kept stopped while the hold file is there."""

from __future__ import annotations

import time
from pathlib import Path

from proxy_project.embedded.backoff import BackOff
from proxy_project.embedded.faults import EmbeddedFault
from proxy_project.embedded.lease import on_hold
from proxy_project.embedded.postgres import STOP_SECONDS, EmbeddedPostgres
from proxy_project.embedded.voice import say


class SupervisedPostgres:
    """The caller holds the supervisor lock of `lease.py`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.server = EmbeddedPostgres(data_dir)
        self.back_off = BackOff()
        self.wanted = False

    def start(self) -> None:
        """Raises EmbeddedFault. On hold, nothing is started yet."""
        self.wanted = not on_hold(self.data_dir)
        if self.wanted:
            self.server.start()
            self.back_off.started(time.monotonic())
        else:
            say("PostgreSQL is on hold and not started")

    def tend(self) -> None:
        held = on_hold(self.data_dir)
        if held and self.wanted:
            self.wanted = False
            say("PostgreSQL is on hold: stopping it")
            self.server.stop()
        elif not held and not self.wanted:
            self.wanted = True
            say("PostgreSQL is no longer on hold: starting it")
            self.revive()
        elif self.wanted and not self.server.alive():
            self.notice()

    def notice(self) -> None:
        now = time.monotonic()
        if self.server.process is not None:
            self.server.process = None
            delay = self.back_off.ended(now)
            say(f"PostgreSQL ended; starting it again in {delay:g} s")
        elif now >= self.back_off.due_at:
            self.revive()

    def revive(self) -> None:
        try:
            self.server.start()
        except (EmbeddedFault, OSError) as fault:
            delay = self.back_off.ended(time.monotonic())
            say(f"PostgreSQL did not start ({fault}); trying again in {delay:g} s")
        else:
            self.back_off.started(time.monotonic())
            say("PostgreSQL is running")

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        self.server.stop(seconds=seconds)
