"""`manage.py history list|show|raw|verify`: the history from a terminal."""

from __future__ import annotations

import datetime
import json
import sys
import time
import uuid
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.history.queries import detail, recent
from gateway.history.store import Damaged, NotInHistory, rebuild_request, rebuild_response, rebuild_sent_request
from gateway.history.verification import Progress, verify

COLUMNS = (
    ("started_at", 23),
    ("id", 36),
    ("client", 12),
    ("model", 26),
    ("status_code", 6),
    ("outcome", 19),
    ("stop_reason", 11),
    ("duration_ms", 9),
    ("response_bytes", 9),
    ("path", 24),
)
TITLES = {"started_at": "started (UTC)", "status_code": "status", "duration_ms": "ms", "response_bytes": "bytes"}
FOLLOW_SECONDS = 0.5
FOLLOW_LIMIT = 200
PROGRESS_SECONDS = 1.0


class Command(BaseCommand):
    help = "Look into the history: list exchanges, show one, write its exact bytes, prove that all of it is intact."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="{list,show,raw,verify}")
        add_list(actions.add_parser("list", help="exchanges, newest first"))
        show = actions.add_parser("show", help="everything about one exchange but its bodies")
        show.add_argument("id", type=exchange_id)
        show.add_argument("--json", action="store_true", help="print one JSON object")
        raw = actions.add_parser("raw", help="the exact bytes of one direction, on standard output")
        raw.add_argument("id", type=exchange_id)
        raw.add_argument("--part", choices=("request", "response"), required=True)
        raw.add_argument("--sent", action="store_true", help="the request as the provider got it")
        actions.add_parser("verify", help="read everything again and prove it; exit 1 when something is wrong")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        actions: dict[str, Callable[..., None]] = {
            "list": self.list,
            "show": self.show,
            "raw": self.raw,
            "verify": self.verify,
        }
        try:
            actions[action](**options)
        except (NotInHistory, Damaged) as error:
            raise CommandError(str(error)) from error

    def list(self, *, limit: int, before: uuid.UUID | None, json: bool, follow: bool, **options: Any) -> None:
        filters = {name: options[name] for name in ("session", "model", "outcome", "since")}
        rows = recent(limit, before, **filters)
        if follow:
            self._follow(rows, filters, json)
        elif json:
            self.stdout.write(dump(rows, indent=2))
        else:
            self.stdout.write(table_line({name: TITLES.get(name, name) for name, _ in COLUMNS}))
            for row in rows:
                self.stdout.write(table_line(row))

    def _follow(self, rows: Any, filters: dict[str, Any], as_json: bool) -> None:
        """Oldest first, one line each, until Ctrl-C. What is stored late is shown late, but once."""
        shown: set[str] = set()
        batch = rows[::-1]
        try:
            while True:
                for row in batch:
                    if row["id"] not in shown:
                        shown.add(row["id"])
                        self.stdout.write(dump(row) if as_json else table_line(row))
                self.stdout.flush()
                time.sleep(FOLLOW_SECONDS)
                batch = recent(FOLLOW_LIMIT, **filters)[::-1]
        except KeyboardInterrupt:
            return

    def show(self, *, id: uuid.UUID, json: bool, **options: Any) -> None:
        shown = detail(id)
        if json:
            self.stdout.write(dump(shown, indent=2))
            return
        for key, value in shown.items():
            text = value if isinstance(value, str) else dump(value, indent=2 if key == "message" else None)
            self.stdout.write(f"{key:>20}  {printable(text)}")

    def raw(self, *, id: uuid.UUID, part: str, sent: bool, **options: Any) -> None:
        if sent and part != "request":
            raise CommandError("--sent goes with --part request")
        rebuild = rebuild_sent_request if sent else {"request": rebuild_request, "response": rebuild_response}[part]
        sys.stdout.buffer.write(rebuild(id))
        sys.stdout.buffer.flush()

    def verify(self, **options: Any) -> None:
        progress = Progress()
        problems = 0
        told = time.monotonic()
        for problem in verify(progress):
            if problem is not None:
                problems += 1
                self.stdout.write(f"{problem.exchange_id}  {problem.what}")
            elif time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                self.stderr.write(f"{progress.exchanges} exchanges read so far")
        self.stderr.write(f"{progress.exchanges} exchanges, {progress.bodies} bodies, {progress.bytes} bytes read")
        if problems:
            raise CommandError(f"{problems} problems found", returncode=1)
        self.stderr.write("everything is intact")


def add_list(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=20, help="how many, at most (20)")
    parser.add_argument("--before", type=exchange_id, help="only what is older than this id")
    parser.add_argument("--json", action="store_true", help="print one JSON array; with --follow one object a line")
    parser.add_argument("--follow", action="store_true", help="go on printing what is stored, oldest first")
    parser.add_argument("--session", help="only this session's")
    parser.add_argument("--model", help="only those this model answered")
    parser.add_argument("--outcome", help="only those that ended so")
    parser.add_argument(
        "--since", type=moment, help="only since this time: 2026-11-21, 2026-11-21T09:30, or 30m, 2h, 7d"
    )


def exchange_id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not an id") from None


def moment(text: str) -> datetime.datetime:
    """An ISO 8601 time (UTC unless it says otherwise), or a while ago: a number and s, m, h or d."""
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    now = datetime.datetime.now(datetime.UTC)
    if text[-1:] in units and text[:-1].isdecimal():
        return now - datetime.timedelta(**{units[text[-1]]: int(text[:-1])})
    try:
        read = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a time") from None
    return read if read.tzinfo else read.replace(tzinfo=datetime.UTC)


def dump(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def table_line(row: dict[str, Any]) -> str:
    return "  ".join(cell(row[name], width) for name, width in COLUMNS).rstrip()


def cell(value: Any, width: int) -> str:
    if isinstance(value, float):
        return f"{value:.0f}".rjust(width)
    if isinstance(value, int):
        return str(value).rjust(width)
    return printable("" if value is None else str(value))[:width].ljust(width)


def printable(text: str) -> str:
    """Nothing recorded may steer the terminal."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\ufffd" for letter in text)
