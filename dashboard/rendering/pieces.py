"""What the look of a tool call is put together from; `templates/dashboard/blocks/piece.html` shows each kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from django.utils.safestring import SafeString

from dashboard.rendering import markup
from dashboard.rendering.diffs import Diff, compare, read_patch
from gateway.history.transcript.blocks import SHOWN_OF_ONE_TEXT, as_list, as_mapping, as_text, pretty

ITEMS_SHOWN: Final = 200


class Task(NamedTuple):
    """One line of a plan. `state`: `done`, `doing`, `open` or `dropped`."""

    state: str
    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """`kind`: code, text, prose, diff, tasks, facts or choices; `cut` counts what is not shown, characters or lines."""

    kind: str
    title: str = ""
    html: SafeString | str = ""
    rows: Sequence[Any] = ()
    cut: int = 0
    folded: bool = False
    diff: Diff | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """A tool call as a person reads it: an icon, what it did in a line, and the pieces below that line."""

    icon: str
    title: str
    summary: str = ""
    pieces: Sequence[Piece] = field(default=())
    note: str = ""


def code_piece(text: object, language: str = "", title: str = "") -> Piece:
    whole = as_text(text)
    shown = whole[:SHOWN_OF_ONE_TEXT]
    folded = shown.count("\n") > LINES_OPEN
    return Piece("code", title, markup.code(shown, language), cut=len(whole) - len(shown), folded=folded)


def prose_piece(text: object, title: str = "") -> Piece:
    whole = as_text(text)
    shown = whole[:SHOWN_OF_ONE_TEXT]
    return Piece("prose", title, markup.markdown(shown), cut=len(whole) - len(shown), folded=len(whole) > LONG_PROSE)


def diff_piece(old: object, new: object, title: str = "") -> Piece:
    found = compare(as_text(old)[:COMPARED_TEXT], as_text(new)[:COMPARED_TEXT])
    cut = max(0, len(as_text(old)) - COMPARED_TEXT) + max(0, len(as_text(new)) - COMPARED_TEXT)
    return Piece("diff", title, diff=found, cut=cut, folded=len(found.lines) > LINES_OPEN)


def patch_piece(patch: object, title: str = "") -> Piece:
    whole = as_text(patch)
    found = read_patch(whole[:COMPARED_TEXT])
    return Piece(
        "diff", title, diff=found, cut=max(0, len(whole) - COMPARED_TEXT), folded=len(found.lines) > LINES_OPEN
    )


def tasks_piece(items: object, text: str, states: Mapping[str, str] | None = None) -> Piece:
    """A list of objects with a `status` and, under the name `text`, what is to be done."""
    known = states or STATES
    given = as_list(items)
    rows = [
        Task(known.get(as_text(fields.get("status")), "open"), as_text(fields.get(text))[:2_000])
        for fields in map(as_mapping, given[:ITEMS_SHOWN])
    ]
    return Piece("tasks", rows=rows, cut=max(0, len(given) - ITEMS_SHOWN))


def facts_piece(pairs: Sequence[tuple[str, object]]) -> Piece:
    """Names and short values; those without a value are left out."""
    rows = [(name, as_text(value)[:2_000]) for name, value in pairs if value not in (None, "", [], {})]
    return Piece("facts", rows=rows)


def json_piece(value: object, title: str = "") -> Piece:
    return code_piece(pretty(value), "json", title)


STATES: Final = {
    "completed": "done",
    "done": "done",
    "in_progress": "doing",
    "cancelled": "dropped",
    "canceled": "dropped",
    "deleted": "dropped",
}
LINES_OPEN: Final = 24
LONG_PROSE: Final = 2_500
COMPARED_TEXT: Final = 100_000
