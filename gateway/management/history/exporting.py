"""`history export`."""

from __future__ import annotations

import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError

from gateway.api.version import VERSION
from gateway.history.export.exchanges import Exchange, ExportProgress, exchanges
from gateway.history.export.har import write_har
from gateway.history.export.json_lines import write_lines
from gateway.history.export.parquet import write_table
from gateway.history.queries import matching
from gateway.management.history.action import Action, add_filters, filters_of

PROGRESS_SECONDS = 1.0
FORMATS = ("jsonl", "har", "parquet")
STANDARD_OUTPUT = "-"


def export_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, default="jsonl", help="jsonl, one object a line, is the default")
    parser.add_argument("--output", "-o", default=STANDARD_OUTPUT, help="a file; standard output when not given")
    parser.add_argument("--without-bodies", action="store_true", help="leave out what was asked and answered")
    parser.add_argument("--force", action="store_true", help="replace a file that is there")
    add_filters(parser)


def export(
    command: BaseCommand, *, format: str, output: str, without_bodies: bool, force: bool, **options: Any
) -> None:
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


ACTIONS = (Action("export", "exchanges as JSON Lines, HAR or Parquet, oldest first", export_arguments, export),)
