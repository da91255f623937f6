"""`history list|show|raw|verify`."""

from __future__ import annotations

import sys
import time
import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.history.queries import detail, recent
from gateway.history.store import rebuild_request, rebuild_response
from gateway.history.translated import rebuild_got, rebuild_sent
from gateway.history.verification import Progress, verify
from gateway.management.history.action import Action, add_filters, exchange_id, filters_of
from gateway.management.history.printing import dump, printable, table_line

COLUMNS = (
    ("started_at", 23),
    ("id", 36),
    ("client", 12),
    ("model", 26),
    ("status_code", 6),
    ("outcome", 19),
    ("stop_reason", 11),
    ("duration_ms", 9),
    ("cost_usd", 11),
    ("response_bytes", 9),
    ("path", 24),
)
TITLES = {
    "started_at": "started (UTC)",
    "status_code": "status",
    "duration_ms": "ms",
    "cost_usd": "USD",
    "response_bytes": "bytes",
}
FOLLOW_SECONDS = 0.5
FOLLOW_LIMIT = 200
PROGRESS_SECONDS = 1.0


def list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=20, help="how many, at most (20)")
    parser.add_argument("--before", type=exchange_id, help="only what is older than this id")
    parser.add_argument("--json", action="store_true", help="print one JSON array; with --follow one object a line")
    parser.add_argument("--follow", action="store_true", help="go on printing what is stored, oldest first")
    add_filters(parser)


def list_exchanges(
    command: BaseCommand, *, limit: int, before: uuid.UUID | None, json: bool, follow: bool, **options: Any
) -> None:
    filters = filters_of(options)
    rows = recent(limit, before, **filters)
    if follow:
        follow_exchanges(command, rows, filters, json)
    elif json:
        command.stdout.write(dump(rows, indent=2))
    else:
        command.stdout.write(table_line({name: TITLES.get(name, name) for name, _ in COLUMNS}, COLUMNS))
        for row in rows:
            command.stdout.write(table_line(row, COLUMNS))


def follow_exchanges(command: BaseCommand, rows: Any, filters: dict[str, Any], as_json: bool) -> None:
    """Oldest first, one line each, until Ctrl-C. What is stored late is shown late, but once."""
    shown: set[str] = set()
    batch = rows[::-1]
    try:
        while True:
            for row in batch:
                if row["id"] not in shown:
                    shown.add(row["id"])
                    command.stdout.write(dump(row) if as_json else table_line(row, COLUMNS))
            command.stdout.flush()
            time.sleep(FOLLOW_SECONDS)
            batch = recent(FOLLOW_LIMIT, **filters)[::-1]
    except KeyboardInterrupt:
        return


def show_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=exchange_id)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def show(command: BaseCommand, *, id: uuid.UUID, json: bool, **options: Any) -> None:
    shown = detail(id)
    if json:
        command.stdout.write(dump(shown, indent=2))
        return
    for key, value in shown.items():
        text = value if isinstance(value, str) else dump(value, indent=2 if key == "message" else None)
        command.stdout.write(f"{key:>20}  {printable(text)}")


REBUILDERS = {"request": rebuild_request, "response": rebuild_response, "got": rebuild_got}
PARTS = "request and response are what came; got is a translated answer as the caller got it"


def raw_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=exchange_id)
    parser.add_argument("--part", choices=tuple(REBUILDERS), required=True, help=PARTS)
    parser.add_argument("--sent", action="store_true", help="the request as the provider got it")


def raw(command: BaseCommand, *, id: uuid.UUID, part: str, sent: bool, **options: Any) -> None:
    if sent and part != "request":
        raise CommandError("--sent goes with --part request")
    rebuild = rebuild_sent if sent else REBUILDERS[part]
    sys.stdout.buffer.write(rebuild(id))
    sys.stdout.buffer.flush()


def verify_all(command: BaseCommand, **options: Any) -> None:
    progress = Progress()
    problems = 0
    told = time.monotonic()
    for problem in verify(progress):
        if problem is not None:
            problems += 1
            command.stdout.write(f"{problem.where}  {problem.what}")
        elif time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            command.stderr.write(f"{progress.exchanges} exchanges and {progress.blobs} blobs read so far")
    read = f"{progress.exchanges} exchanges, {progress.bodies} bodies, {progress.bytes} bytes, {progress.blobs} blobs"
    command.stderr.write(f"{read} read")
    if problems:
        raise CommandError(f"{problems} problems found", returncode=1)
    command.stderr.write("everything is intact")


def no_arguments(parser: ArgumentParser) -> None:
    """Takes none."""


ACTIONS = (
    Action("list", "exchanges, newest first", list_arguments, list_exchanges),
    Action("show", "everything about one exchange but its bodies", show_arguments, show),
    Action("raw", "the exact bytes of one direction, on standard output", raw_arguments, raw),
    Action("verify", "read everything again and prove it; exit 1 when something is wrong", no_arguments, verify_all),
)
