"""`history search|index`."""

from __future__ import annotations

import time
import uuid
from argparse import REMAINDER, ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.history.search.find import Hit, search
from gateway.history.search.index import index_batch, waiting
from gateway.history.search.present import results_object
from gateway.history.search.query import FIELDS
from gateway.history.search.rebuild import note_everything
from gateway.history.search.snippets import Snippet
from gateway.history.visibility import EVERYTHING
from gateway.management.history.action import Action, exchange_id
from gateway.management.history.printing import dump, printable

PROGRESS_SECONDS = 1.0


def search_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=20, help="how many turns, at most (20)")
    parser.add_argument("--before", type=exchange_id, help="only turns older than this id")
    parser.add_argument("--json", action="store_true", help="print one JSON object, with facets")
    parser.add_argument(
        "text",
        nargs=REMAINDER,
        help=f'words, prefix*, -word, "a piece of text", and {", ".join(f"{name}:" for name in FIELDS)}',
    )


def find(
    command: BaseCommand, *, text: list[str], limit: int, before: uuid.UUID | None, json: bool, **options: Any
) -> None:
    results = search(" ".join(text), EVERYTHING, limit, before)
    if results.problems:
        raise CommandError("; ".join(results.problems))
    if json:
        command.stdout.write(dump(results_object(results), indent=2))
        return
    for hit in results.hits:
        write_hit(command, hit)
    count = f"{results.count} turns" if results.counted_all else f"more than {results.count} turns"
    command.stdout.write(count)
    for name, values in results.facets.items():
        if values:
            shown = ", ".join(f"{value} ({number})" for value, number in values)
            command.stdout.write(printable(f"{name:>8}: {shown}"))
    if results.older:
        command.stdout.write(f"more with --before {results.older}")
    if behind := waiting():
        command.stderr.write(f"{behind} texts were stored just now and cannot be found yet")


def write_hit(command: BaseCommand, hit: Hit) -> None:
    row = hit.row
    head = (row["started_at"][:19], row["id"], row["model"] or row["requested_model"] or "", row["session_id"] or "")
    command.stdout.write(printable("  ".join(head)))
    for place in hit.places:
        command.stdout.write(
            f"    {place.section} {place.role}: ".replace("  ", " ") + highlighted(command, place.snippet)
        )


def highlighted(command: BaseCommand, snippet: Snippet) -> str:
    shown, done = "…" if snippet.cut_before else "", 0
    for start, end in snippet.spans:
        shown += printable(snippet.text[done:start]) + command.style.WARNING(printable(snippet.text[start:end]))
        done = end
    return shown + printable(snippet.text[done:]) + ("…" if snippet.cut_after else "")


def index_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="go through the whole history for what cannot be found")


def index(command: BaseCommand, *, all: bool, **options: Any) -> None:
    told = time.monotonic()
    if all:
        for exchanges, noted in note_everything():
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                command.stderr.write(f"{exchanges} exchanges looked at, {noted} texts to be made searchable")
    done = 0
    while taken := index_batch():
        done += taken
        if time.monotonic() - told >= PROGRESS_SECONDS:
            told = time.monotonic()
            command.stderr.write(f"{done} texts made searchable, {waiting()} to go")
    command.stderr.write(f"{done} texts made searchable")


ACTIONS = (
    Action("search", "turns in which something was said", search_arguments, find),
    Action("index", "make what was stored searchable now, instead of within seconds", index_arguments, index),
)
