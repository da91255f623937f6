"""`manage.py costs by|recompute`: money from a terminal."""

from __future__ import annotations

import datetime
import json
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.history.cost_runs import Recomputed, recompute
from gateway.history.figures import Span, plain, read_figures
from gateway.history.rollup_sums import DIMENSIONS
from gateway.history.rollups import roll_up_all
from gateway.history.spending import SPENDERS, spent_by
from gateway.management.history.action import moment
from gateway.management.history.printing import table_line
from gateway.pricing.money import dollars

PROGRESS_SECONDS = 1.0
NAMES = {"key": "access_key", **{name: name for name in DIMENSIONS if name != "access_key"}}
COUNTS = (
    "requests", "unpriced", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "thinking_tokens",
)  # fmt: skip
BEGINNING = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(9999, 1, 1, tzinfo=datetime.UTC)


class Command(BaseCommand):
    help = "What was spent, by whom and on what; and costs computed again by the prices of now."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="{by,recompute}")
        by = actions.add_parser("by", help="tokens and USD, dearest first; sums by whole hours, sessions exactly")
        by.add_argument("what", choices=(*SPENDERS, *NAMES))
        by.add_argument("--limit", type=int, default=20, help="how many, at most (20)")
        by.add_argument("--session", help="only this session's, by agent")
        by.add_argument("--json", action="store_true", help="print one JSON array")
        again = actions.add_parser("recompute", help="of all turns, or those of a time or a model; the sums follow")
        again.add_argument("--model", default="", help="only answers of this model, its snapshots included")
        for action in (by, again):
            action.add_argument("--since", type=moment, help="only from this time on: 2026-11-21, or 30m, 2h, 7d ago")
            action.add_argument("--until", type=moment, help="only before this time")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "by":
            self.by(**options)
        else:
            self.recompute(options["since"], options["until"], options["model"])

    def by(self, *, what: str, limit: int, since: Any, until: Any, session: str | None, **options: Any) -> None:
        if session is not None and what != "agent":
            raise CommandError("--session goes with: costs by agent")
        if what in SPENDERS:
            found = spent_by(what, limit, session=session, since=since, until=until)
        else:
            roll_up_all()
            found = sums_by(what, Span(since or BEGINNING, until or END))[:limit]
        if options["json"]:
            self.stdout.write(
                json.dumps([{key: plain(value) for key, value in row.items()} for row in found], indent=2)
            )
            return
        columns = ((what, 36), ("cost_usd", 14), *((name, 12) for name in COUNTS))
        titles = {name: title_of(name).rjust(0 if name == what else width) for name, width in columns}
        self.stdout.write(table_line(titles, columns))
        for row in found:
            money = (dollars(row["cost_usd"]) or "unknown").rjust(14)
            self.stdout.write(table_line({**row, "cost_usd": money}, columns))

    def recompute(self, since: Any, until: Any, model: str) -> None:
        told = time.monotonic()

        def tell(progress: Recomputed) -> None:
            nonlocal told
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                self.stderr.write(f"{progress.turns} turns so far, {progress.changed} changed, at {progress.reached}")

        done = recompute(since, until, model, tell)
        roll_up_all()
        self.stdout.write(f"{done.turns} turns with a usage, {done.changed} with another cost than before")


def sums_by(what: str, span: Span) -> list[dict[str, Any]]:
    found = read_figures(span, (NAMES[what],))
    found.sort(key=lambda figures: (figures.sums["cost_usd"] is None, -(figures.sums["cost_usd"] or 0)))
    return [{what: figures.group[NAMES[what]], **figures.values()} for figures in found]


def title_of(name: str) -> str:
    return (
        "USD"
        if name == "cost_usd"
        else name.removesuffix("_tokens").replace("cache_write_1h", "for 1 h").replace("_", " ")
    )
