"""`manage.py demo`: fill the history with believable turns, to see the product alive or to measure it."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from gateway.demo.filling import Plan, fill
from gateway.demo.people import TEAMS
from gateway.demo.side_by_side import fill_side_by_side
from gateway.history.rollups import roll_up_all
from gateway.models import RequestLog, Team

PROGRESS_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Fill the history with made-up sessions of coding agents: turns, subagents, tools, errors, costs, of five "
        "teams. They are stored as real ones are and cannot be told from them afterwards, so it asks first where there "
        "are turns already."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--turns", type=int, default=2_000, help="how many (2000)")
        parser.add_argument("--days", type=int, default=45, help="over how many days up to now (45)")
        parser.add_argument("--jobs", type=int, default=1, help="processes that make them (1); each fills a core")
        parser.add_argument("--seed", type=int, default=1, help="the same seed and jobs give the same texts (1)")
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, turns: int, days: int, jobs: int, seed: int, yes: bool, **options: Any) -> None:
        if min(turns, days, jobs) < 1:
            raise CommandError("--turns, --days and --jobs must be at least 1")
        if RequestLog._meta.db_table not in connection.introspection.table_names():
            self.stderr.write("making the tables")
            call_command("migrate", interactive=False, verbosity=0)
        if not yes and RequestLog.objects.exists() and not agreed():
            raise CommandError("nothing was added")
        for name in TEAMS:
            Team.objects.get_or_create(name=name)
        self._fill(Plan(turns, days, seed), jobs)
        self.stderr.write("summing up")
        roll_up_all()
        self.stderr.write("done: `make run` with the same data directory shows it, and makes its texts searchable")

    def _fill(self, plan: Plan, jobs: int) -> None:
        began = told = time.monotonic()
        stored = 0
        for stored in fill(plan) if jobs == 1 else fill_side_by_side(plan, jobs):
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                self.stderr.write(f"{stored} of {plan.turns} turns, {stored / (told - began):.0f} a second")
        self.stderr.write(f"{stored} turns in {time.monotonic() - began:.0f} s")


def agreed() -> bool:
    return input("There are turns in the history already. Add made-up ones to them? [y/N] ").strip().lower() in (
        "y",
        "yes",
    )
