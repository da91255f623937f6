"""`history export`."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError

from gateway.history.conversation.loading import load_session
from gateway.history.export.exchanges import Exchange, ExportProgress, exchanges
from gateway.history.export.har import write_har
from gateway.history.export.json_lines import write_lines
from gateway.history.export.parquet import write_table
from gateway.history.export.session_page import session_page
from gateway.history.queries import matching
from gateway.history.veil import Veil, drawn
from gateway.management.history.action import Action, add_filters, filters_of
from gateway.policy.text_redaction import TextRedactor
from gateway.version import VERSION

PROGRESS_SECONDS = 1.0
FORMATS = ("jsonl", "har", "parquet", "html")
STANDARD_OUTPUT = "-"


def export_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=FORMATS, default="jsonl", help="jsonl is the default; html takes a --session"
    )
    parser.add_argument("--output", "-o", default=STANDARD_OUTPUT, help="a file; standard output when not given")
    parser.add_argument("--without-bodies", action="store_true", help="leave out what was asked and answered")
    parser.add_argument(
        "--redact", action="append", default=[], metavar="NAME", help="html: a further name to take out"
    )
    parser.add_argument(
        "--redacted", action="store_true", help="without what the redactions in force hide; an answer is its message"
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_filters(parser)


def export(command: BaseCommand, *, redacted: bool, **options: Any) -> None:
    with drawn(Veil()) if redacted else nullcontext():
        write_export(command, **options)


def write_export(
    command: BaseCommand,
    *,
    format: str,
    output: str,
    without_bodies: bool,
    force: bool,
    redact: list[str],
    **options: Any,
) -> None:
    if format == "html":
        return export_session(command, output, force, redact, filters_of(options))
    if redact:
        raise CommandError("--redact goes with --format html; the other formats hold what was recorded")
    progress = ExportProgress()
    rows = matching(**filters_of(options))
    bodies = not without_bodies
    with opened(output, force) as file:
        found = told(command, exchanges(rows, progress, bodies=bodies), progress)
        if format == "parquet":
            write_table(found, file, bodies=bodies)
        else:
            pieces = write_har(found, VERSION) if format == "har" else write_lines(found, bodies=bodies)
            for piece in pieces:
                file.write(piece)
    command.stderr.write(f"{progress.exchanges} exchanges exported, {progress.bytes} bytes of bodies")
    if progress.damaged:
        raise CommandError(f"{progress.damaged} of them are damaged, and say so", returncode=1)


def export_session(command: BaseCommand, output: str, force: bool, names: list[str], filters: dict[str, Any]) -> None:
    session = filters.pop("session")
    if session is None or any(value is not None for value in filters.values()):
        raise CommandError("--format html shows one whole session: give --session, and no other filter")
    loaded, redactor = load_session(session), TextRedactor(names)
    with opened(output, force) as file:
        for piece in session_page(loaded, redactor):
            file.write(piece)
    command.stderr.write(f"{len(loaded.turns)} turns exported, {redactor.replaced} passages replaced")


def told(command: BaseCommand, found: Iterable[Exchange], progress: ExportProgress) -> Iterator[Exchange]:
    """The same exchanges, with a line about how far it has come each second."""
    last = time.monotonic()
    for exchange in found:
        yield exchange
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            command.stderr.write(
                f"{progress.exchanges} exchanges so far, up to {exchange.row.started_at:%Y-%m-%d %H:%M}"
            )


@contextmanager
def opened(output: str, force: bool) -> Iterator[BinaryIO]:
    """Standard output, or a file that appears under its name once it is whole, readable by its owner alone."""
    if output == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = Path(output)
    if target.exists() and not force:
        raise CommandError(f"{output} is there already; --force replaces it")
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
        partial.replace(target)
    except OSError as error:
        raise CommandError(f"cannot write {output}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


ACTIONS = (
    Action("export", "exchanges as JSON Lines, HAR or Parquet, or one session as a page", export_arguments, export),
)
