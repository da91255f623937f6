"""Two texts, or a patch, as lines that were kept, added and removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple

CONTEXT: Final = 3
COMPARED: Final = 800
"""Lines of one side that are compared; beyond that everything counts as removed and added."""
SHOWN: Final = 600


class Line(NamedTuple):
    """`kind`: `same`, `added`, `removed`, `skip` (`text` says what was left out) or `file`. Numbers count from 1."""

    kind: str
    text: str
    old: int | None = None
    new: int | None = None


class Diff(NamedTuple):
    lines: Sequence[Line]
    added: int
    removed: int
    cut: int
    """Lines that are not shown."""


def compare(old: str, new: str, first: int = 1) -> Diff:
    """Line by line, with some lines around each change."""
    before, after = old.splitlines(), new.splitlines()
    if max(len(before), len(after)) > COMPARED:
        lines = [*removed(before, first), *added(after, first)]
    else:
        lines = list(changes(before, after, first))
    return bounded(lines)


def changes(before: Sequence[str], after: Sequence[str], first: int) -> Iterator[Line]:
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    last = 0
    for group in matcher.get_grouped_opcodes(CONTEXT):
        start = group[0][1]
        if start > last:
            yield skipped(start - last)
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (Line("same", before[i], first + i, first + j1 + i - i1) for i in range(i1, i2))
            else:
                yield from removed(before[i1:i2], first + i1)
                yield from added(after[j1:j2], first + j1)
        last = group[-1][2]
    if len(before) > last and last:
        yield skipped(len(before) - last)


def skipped(count: int) -> Line:
    return Line("skip", f"{count:,} line{'' if count == 1 else 's'} unchanged")


def removed(lines: Sequence[str], first: int) -> list[Line]:
    return [Line("removed", text, number, None) for number, text in enumerate(lines, first)]


def added(lines: Sequence[str], first: int) -> list[Line]:
    return [Line("added", text, None, number) for number, text in enumerate(lines, first)]


def read_patch(patch: str) -> Diff:
    """Codex's patches, and unified ones: what each line says by its first character."""
    return bounded([line for text in patch.splitlines() if (line := patch_line(text)) is not None])


def patch_line(text: str) -> Line | None:
    if text.startswith(("*** Begin Patch", "*** End Patch", "--- ", "index ")):
        return None
    if text.startswith(("*** ", "+++ ", "diff ")):
        return Line("file", text.lstrip("*+ "))
    if text.startswith("@@"):
        return Line("skip", text.strip("@ ") or "…")
    kind = {"+": "added", "-": "removed"}.get(text[:1], "same")
    return Line(kind, text[1:] if text[:1] in "+- " else text)


def bounded(lines: Sequence[Line]) -> Diff:
    added_lines = sum(line.kind == "added" for line in lines)
    removed_lines = sum(line.kind == "removed" for line in lines)
    return Diff(lines[:SHOWN], added_lines, removed_lines, max(0, len(lines) - SHOWN))
