"""`manage.py loader`: move what the spool holds into Postgres, until SIGTERM."""

from __future__ import annotations

import signal
from argparse import ArgumentParser
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from gateway.recording.loader import Loader


class Command(BaseCommand):
    help = (
        "Move the records of this host's spool into Postgres. One loader works for each spool; a second one waits. "
        "On SIGTERM or Ctrl-C it loads what is finished, for half a minute at most, and ends."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--spool", type=Path, help="the spool's directory; default: spool in the data directory")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        environment = settings.TURNLOG
        spool = options["spool"] or environment.data_dir / "spool"
        Loader(spool, tag_headers=environment.tag_headers).run(stop)
