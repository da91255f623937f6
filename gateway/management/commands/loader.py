"""`manage.py loader`: move what the spool holds into Postgres, until SIGTERM."""

from __future__ import annotations

import os
import signal
from argparse import ArgumentParser
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from gateway.recording.loader import Loader

NICENESS = 10
"""What is relayed now goes before what is stored: the spool waits, an agent should not."""


class Command(BaseCommand):
    help = (
        "Move the records of this host's spool into Postgres. One loader works for each spool; a second one waits. "
        "On SIGTERM or Ctrl-C it loads what is finished, for half a minute at most, and ends."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--spool", type=Path, help="the spool's directory; default: spool in the data directory")
        parser.add_argument(
            "--nice", type=int, default=NICENESS, help=f"how far to stand back for others; default {NICENESS}, 0: not"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stand_back(options["nice"])
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        environment = settings.TURNLOG
        spool = options["spool"] or environment.data_dir / "spool"
        share = environment.otlp_sample if environment.otlp_endpoint else None
        Loader(spool, tag_headers=environment.tag_headers, traced_share=share).run(stop)


def stand_back(nice: int) -> None:
    """Run with a lower priority, by `nice` of the 19 steps there are."""
    os.nice(nice)
    # Where Linux shares a core out between sessions first, `nice` counts only inside one, and the supervisor gives
    # each child one of its own.
    if nice and os.getsid(0) == os.getpid():
        with suppress(OSError):
            Path("/proc/self/autogroup").write_text(str(nice))
