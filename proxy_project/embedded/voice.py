"""What the supervisor says: whole lines, at once, to a terminal, a pipe or nobody."""

from __future__ import annotations

import sys
from threading import Lock

_one_at_a_time = Lock()


def say(text: str = "") -> None:
    """A terminal that was closed must not end the processes it started, so nothing is raised."""
    with _one_at_a_time:
        try:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            return
