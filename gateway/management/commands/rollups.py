"""`manage.py rollups run|rebuild|status`: the sums by hour and day from a terminal."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.history.rollups import mark_range, roll_up
from gateway.management.history.action import moment
from gateway.models import RollupDay, RollupDue, RollupHour, RollupZone

PROGRESS_SECONDS = 1.0
WAIT_SECONDS = 0.2


class Command(BaseCommand):
    help = "Sums of the history by hour and day: bring them up to date, or compute them again from the turns."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="{run,rebuild,status}")
        actions.add_parser("run", help="sum up what changed; the worker does so every few seconds")
        rebuild = actions.add_parser("rebuild", help="sum up all turns again; what they were is replaced hour by hour")
        rebuild.add_argument("--since", type=moment, help="only from this time on: 2026-11-21, or 30m, 2h, 7d ago")
        rebuild.add_argument("--until", type=moment, help="only before this time")
        actions.add_parser("status", help="how many hours are due, and how many rows there are")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "status":
            return self.status()
        if action == "rebuild":
            self.rebuild(options["since"], options["until"])
        self.run()
        return None

    def rebuild(self, since: datetime | None, until: datetime | None) -> None:
        self.stderr.write(f"{mark_range(since, until)} hours with turns in them are marked")

    def run(self) -> None:
        done, told = 0, time.monotonic()
        while (hours := roll_up()) != 0:
            if hours is None:
                time.sleep(WAIT_SECONDS)  # the worker is at it, and does the same
            done += hours or 0
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                self.stderr.write(f"{done} hours summed up, {due_hours()} to go")
        self.stderr.write(f"{done} hours summed up")

    def status(self) -> None:
        zones = ", ".join(RollupZone.objects.values_list("name", flat=True))
        if not zones:
            raise CommandError("no time zone is set up for days; add one in the admin")
        self.stdout.write(f"hours due    {due_hours()}")
        self.stdout.write(f"rows by hour {RollupHour.objects.count()}")
        self.stdout.write(f"rows by day  {RollupDay.objects.count()} ({zones})")


def due_hours() -> int:
    return RollupDue.objects.values("hour").distinct().count()
