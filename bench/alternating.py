"""`manage.py web` that takes turns with itself: two states, each for a fraction of a second, and what each has cost.

    python -m bench.alternating RESULTS configurations FIRST.yaml SECOND.yaml --port 0
    python -m bench.alternating RESULTS watched --port 0

A machine that does other work changes its pace by a quarter from one sample to the next, and little from one moment to
the next: what two states cost is therefore compared within a second, in one process, in the order first, second,
second, first. `configurations` are two snapshots, put into force in turn; `watched` is nobody at the live pages, then
somebody. Each turn is a line of RESULTS: the state, and by how much three numbers grew while it was in force:
nanoseconds of CPU of all threads, requests, events. What follows is for `manage.py web`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.configuration.keeper import ConfigurationKeeper
    from gateway.recording.delta import Delta

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")

ORDER = (0, 1, 1, 0)
Enter = Callable[[int], None]
"""Puts one of the two states into force; returns at once."""


class Work:
    """What was done since the start: requests that ended, and chunks of which the recorder was told."""

    def __init__(self) -> None:
        from gateway.recording.exchange import Exchange
        from gateway.recording.recorder import Recorder

        self.requests = self.events = 0
        closed, take = Recorder.closed, Exchange.take

        def counting_closed(recorder: Recorder) -> None:
            self.requests += 1
            closed(recorder)

        def counting_take(exchange: Exchange) -> Delta:
            delta = take(exchange)
            self.events += len(delta.chunks)
            return delta

        Recorder.closed, Exchange.take = counting_closed, counting_take  # type: ignore[method-assign]

    def now(self) -> tuple[int, int, int]:
        return time.process_time_ns(), self.requests, self.events


def take_turns(
    work: Work, results: Path, enter: Enter, wait: Callable[[float], bool], settle: float, turn: float
) -> None:
    """Until `wait`, which is given seconds, says that it is over."""
    with results.open("w", buffering=1) as file:
        for state in cycle(ORDER):
            enter(state)
            if wait(settle):
                return
            before = work.now()
            if wait(turn):
                return
            file.write(" ".join(map(str, (state, *(b - a for a, b in zip(before, work.now(), strict=True))))) + "\n")


def alternate_configurations(results: Path, documents: Sequence[str]) -> None:
    """The thread that would follow what is configured applies both documents and then gives each its turn."""
    from django.core.management import call_command

    from gateway.configuration.keeper import ConfigurationKeeper

    work = Work()

    def follow(keeper: ConfigurationKeeper) -> None:
        snapshots = []
        for document in documents:
            call_command("config", "apply", document, "--prune", "--yes")
            keeper._replace()
            snapshots.append(keeper.current)

        def enter(state: int) -> None:
            keeper.current = snapshots[state]

        take_turns(work, results, enter, keeper._stopping.wait, 0.02, 0.1)

    ConfigurationKeeper._follow = follow  # type: ignore[method-assign]


def alternate_watched(results: Path) -> None:
    import threading

    from gateway.api.live_news import LiveNews

    work, start = Work(), LiveNews.start

    def started(news: LiveNews) -> None:
        start(news)
        assert news._loop is not None
        loop = news._loop

        def enter(state: int) -> None:
            if state:
                loop.call_soon_threadsafe(news._begin, True)
            else:
                news._until = 0.0

        thread = threading.Thread(
            target=take_turns, args=(work, results, enter, threading.Event().wait, 0.6, 1.4), daemon=True
        )
        thread.start()

    LiveNews.start = started  # type: ignore[method-assign]


def main() -> int:
    results, kind, *rest = sys.argv[1:]
    # The command's modules import the runtime only later, when Django is set up; so it is set up here first.
    import django

    from proxy_project.command_line import execute

    django.setup()
    if kind == "configurations":
        alternate_configurations(Path(results), rest[:2])
        rest = rest[2:]
    else:
        alternate_watched(Path(results))
    return execute(["manage.py", "web", *rest])


if __name__ == "__main__":
    sys.exit(main())
