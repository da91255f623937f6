"""`manage.py worker`: Celery's worker and its beat in one process."""

from __future__ import annotations

import signal
import warnings
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Run the periodic tasks. SIGTERM or Ctrl-C ends it when the running task is done."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--concurrency", type=int, default=2, help="tasks that run at once (default: 2)")

    def handle(self, *args: Any, **options: Any) -> None:
        # Until Celery has its own handlers; beat and the imports may take seconds before that.
        signal.signal(signal.SIGTERM, end)
        # Late: Celery is heavy, and only this command needs it.
        from celery.beat import EmbeddedService
        from celery.signals import setup_logging

        from proxy_project.celery import app

        quieten()
        # Django has set up the logging already.
        setup_logging.connect(leave_logging, weak=False)
        beat = EmbeddedService(
            app,
            thread=True,
            scheduler_cls=app.conf.beat_scheduler,
            schedule_filename=app.conf.beat_schedule_filename,
        )
        beat.start()
        try:
            worker = app.Worker(
                pool="threads",
                concurrency=options["concurrency"],
                loglevel=settings.TURNLOG.log_level.upper(),
                quiet=True,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
            )
            worker.start()
        finally:
            beat.stop()


def quieten() -> None:
    """Celery warns of root, which containers run as; with tasks that are JSON only, root is harmless."""
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")


def end(number: int, frame: FrameType | None) -> None:
    """Being told to end before the first task is no failure."""
    raise SystemExit(0)


def leave_logging(**signal: Any) -> None:
    return
