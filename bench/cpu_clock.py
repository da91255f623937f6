"""CPU time of a question: of this process and of the PostgreSQL process that serves it. On a busy machine it says more
than the clock, which counts everybody else's work as well."""

from __future__ import annotations

import time
from pathlib import Path


class CpuClock:
    """Of Django's connection as it is now. What PostgreSQL uses is known on Linux, with a server on this machine."""

    def __init__(self) -> None:
        from django.db import connection

        connection.ensure_connection()
        self._schedule = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")

    def ms(self) -> float:
        """Milliseconds since some moment."""
        try:
            backend = int(self._schedule.read_text().split()[0]) / 1_000_000
        except OSError:
            backend = 0.0
        return time.process_time() * 1_000 + backend
