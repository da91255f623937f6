"""What changed from one turn's prompt to the next: what entered, left, was rewritten, compacted or moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any, Final

from gateway.dialects.request_parts import PartKind
from gateway.history.conversation.calls import Part

Name = Callable[[Part, int], str]
"""What a person calls a part: its kind, number and, of a tool, its name."""

SETTINGS: Final = "setting"


class Change(StrEnum):
    ENTERED = "entered"
    LEFT = "left"
    REWRITTEN = "rewritten"
    MOVED = "moved"
    COMPACTED = "compacted"
    """Several left, and fewer stand in their place."""


@dataclass(frozen=True, slots=True)
class Difference:
    """`before` and `after` are the places in the two prompts, counted from 0 within their section; None: not there."""

    change: Change
    section: str
    name: str
    before: int | None = None
    after: int | None = None
    old: Part | None = None
    new: Part | None = None
    note: str = ""


def differences(before: Sequence[Part], after: Sequence[Part], name: Name) -> list[Difference]:
    """In the order tools, system, messages."""
    found: list[Difference] = []
    for kind in PartKind:
        old = [part for part in before if part.kind is kind]
        new = [part for part in after if part.kind is kind]
        found += section_differences(kind, old, new, name)
    return found


def section_differences(kind: PartKind, old: list[Part], new: list[Part], name: Name) -> list[Difference]:
    start = common_start(old, new)
    section = kind.name.lower()
    found: list[Difference] = []
    matcher = SequenceMatcher(
        None, [part.digest for part in old[start:]], [part.digest for part in new[start:]], autojunk=False
    )
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            olds = list(enumerate(old[start + i1 : start + i2], start + i1))
            news = list(enumerate(new[start + j1 : start + j2], start + j1))
            found += replaced(kind, section, olds, news, name)
    return with_moves(found)


def common_start(old: Sequence[Part], new: Sequence[Part]) -> int:
    """How many parts are the same from the beginning on."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (a, b) in pairs if a.digest != b.digest), min(len(old), len(new)))


Placed = tuple[int, Part]


def replaced(kind: PartKind, section: str, olds: list[Placed], news: list[Placed], name: Name) -> list[Difference]:
    """Some parts in a row that gave way to others. Tools are paired by name, messages by place and role."""
    pairs = paired_by_name(olds, news, name) if kind is PartKind.TOOL else paired_by_place(olds, news)
    gone = [place for place in olds if place not in {old for old, _ in pairs}]
    come = [place for place in news if place not in {new for _, new in pairs}]
    found = [Difference(Change.REWRITTEN, section, name(new, j), i, j, old, new) for (i, old), (j, new) in pairs]
    if kind is PartKind.MESSAGE and len(olds) > len(news) > 0 and len(olds) > 2:
        (i, old), (j, new) = olds[0], news[0]
        note = f"{len(olds)} messages became {len(news)}"
        return [Difference(Change.COMPACTED, section, name(old, i), i, j, old, new, note)]
    found += [Difference(Change.LEFT, section, name(old, i), i, None, old) for i, old in gone]
    found += [Difference(Change.ENTERED, section, name(new, j), None, j, None, new) for j, new in come]
    return found


def paired_by_name(olds: list[Placed], news: list[Placed], name: Name) -> list[tuple[Placed, Placed]]:
    named = {name(part, at): (at, part) for at, part in news}
    return [((at, part), named[name(part, at)]) for at, part in olds if name(part, at) in named]


def paired_by_place(olds: list[Placed], news: list[Placed]) -> list[tuple[Placed, Placed]]:
    return [(a, b) for a, b in zip(olds, news, strict=False) if a[1].role == b[1].role]


def with_moves(found: list[Difference]) -> list[Difference]:
    """What left in one place and entered in another was moved."""
    left = {item.old.digest: item for item in found if item.change is Change.LEFT and item.old}
    counts = Counter(item.new.digest for item in found if item.change is Change.ENTERED and item.new)
    moved = {digest for digest in left if counts[digest] == 1}
    kept: list[Difference] = []
    for item in found:
        if item.change is Change.ENTERED and item.new and item.new.digest in moved:
            origin = left[item.new.digest]
            kept.append(
                Difference(Change.MOVED, item.section, item.name, origin.before, item.after, origin.old, item.new)
            )
        elif not (item.change is Change.LEFT and item.old and item.old.digest in moved):
            kept.append(item)
    return kept


def setting_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Members of the request beside its tools, system and messages. `metadata` says nothing to the model."""
    found = []
    for key in sorted((before.keys() | after.keys()) - {"metadata", "client_metadata", "stream"}):
        old, new = before.get(key), after.get(key)
        if old != new:
            change = Change.ENTERED if key not in before else Change.LEFT if key not in after else Change.REWRITTEN
            found.append(Difference(change, SETTINGS, key, note=f"{old!r:.80} → {new!r:.80}"))
    return found
