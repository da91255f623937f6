"""Where the parts of a request body lie, in bytes: its tools, its system prompt, its messages.

A body is cut, never parsed and written again: `join` of what `split` found is the body, byte for byte. msgspec tells
where the values end, and skips over what they hold; a body it refuses (half a surrogate pair in an old tool result,
bytes that are not UTF-8, NaN) is scanned by regular expressions instead, so that one odd message does not make all
later turns of its conversation unsplittable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from gateway.dialects.json_members import elements_of
from gateway.dialects.names import Dialect
from gateway.dialects.request_facts import RequestMembers, elements_in

_MOST_PARTS: Final = 50_000
_MOST_PLACES: Final = 100
"""Places where a member could lie that are looked at: a hostile body has a million of them."""
_PLAIN_GAP: Final = b","
_GAP: Final = re.compile(rb"\s*+,\s*+")
_COLON: Final = re.compile(rb"\s*+:\s*+")
_OPEN: Final = re.compile(rb"\[\s*+")
_CLOSE: Final = re.compile(rb"\s*+\]")
_SLICES: Final = msgspec.json.Decoder(list[msgspec.Raw])


class PartKind(IntEnum):
    """What a part is. The order of the values is that of the provider's prompt cache: tools, system, messages."""

    TOOL = 1
    SYSTEM = 2
    MESSAGE = 3


_TOOLS: Final = {"tools": PartKind.TOOL}
_KINDS: Final[dict[Dialect, dict[str, PartKind]]] = {
    Dialect.ANTHROPIC: {**_TOOLS, "system": PartKind.SYSTEM, "messages": PartKind.MESSAGE},
    Dialect.CHAT: {**_TOOLS, "functions": PartKind.TOOL, "messages": PartKind.MESSAGE},
    Dialect.RESPONSES: {**_TOOLS, "instructions": PartKind.SYSTEM, "input": PartKind.MESSAGE},
    Dialect.OPENAI: {},
}


@dataclass(frozen=True, slots=True)
class Run:
    """The elements of one list, or one string, as they lie in the body: [start, end) covers them and what is between.

    `gaps` is what lies between two parts where that is the same everywhere, else the list of all of it.
    """

    kind: PartKind
    start: int
    end: int
    parts: Sequence[bytes]
    gaps: bytes | list[bytes] = _PLAIN_GAP


@dataclass(frozen=True, slots=True)
class Split:
    """`literals` lie before, between and after the runs: one more than there are runs. Runs are in the body's order."""

    literals: Sequence[bytes]
    runs: Sequence[Run]


class Unsplit(NamedTuple):
    """Why a body is kept whole."""

    reason: str


def split(dialect: Dialect, body: bytes, members: RequestMembers | None) -> Split | Unsplit:
    """The parts of a body whose content coding is identity; `members` are what `read_members` found in it. Never
    raises."""
    kinds = _KINDS[dialect]
    if not kinds:
        return Unsplit("no shape that is known")
    if members is None:
        return Unsplit("not a JSON object")
    runs = _runs(kinds, body, members)
    if not runs:
        return Unsplit("no messages in it")
    if sum(len(run.parts) for run in runs) > _MOST_PARTS:
        return Unsplit(f"more than {_MOST_PARTS} parts")
    if any(after.start < before.end for before, after in pairwise(runs)):
        return Unsplit("lists within one another")
    return Split(_literals(body, runs), runs)


def _literals(body: bytes, runs: Sequence[Run]) -> list[bytes]:
    starts = [0, *(run.end for run in runs)]
    ends = [*(run.start for run in runs), len(body)]
    return [body[start:end] for start, end in zip(starts, ends, strict=True)]


def _runs(kinds: dict[str, PartKind], body: bytes, members: RequestMembers) -> list[Run]:
    """In the order they lie in. Most of a body is its messages: what lies after them is found without looking at
    them."""
    runs: list[Run] = []
    after = 0
    for name, kind in reversed(kinds.items()):
        found = elements_in(members, name)
        ranges = [] if found is None else _ranges(body, name, found, after)
        if ranges:
            runs.append(_run(body, kind, ranges))
            after = max(after, runs[-1].end)
    return sorted(runs, key=lambda run: run.start)


def _ranges(body: bytes, name: str, found: list[msgspec.Raw] | msgspec.Raw, after: int) -> list[tuple[int, int]]:
    """Where the elements of a list of objects lie, or a string; none when it is something else, or not found."""
    if isinstance(found, list):
        ranges = _listed(body, name, found, after)
    else:
        value = bytes(found)
        if value[:1] == b'"':
            return [(at, at + len(value)) for at in _first_place(body, name, value, after)]
        ranges = _sliced(body, name, value, after) if value[:1] == b"[" else []
    return ranges if all(body[first : first + 1] == b"{" for first, _ in ranges) else []


def _sliced(body: bytes, name: str, value: bytes, after: int) -> list[tuple[int, int]]:
    try:
        return _listed(body, name, _SLICES.decode(value), after)
    except (ValueError, RecursionError):
        places = _first_place(body, name, value, after)
        return [found for at in places for found in elements_of(body, at, at + len(value))]


def _listed(body: bytes, name: str, elements: list[msgspec.Raw], after: int) -> list[tuple[int, int]]:
    if not elements:
        return []
    first = bytes(elements[0])
    for at in _places(body, name, after):
        opening = _OPEN.match(body, at)
        if opening is not None and body.startswith(first, opening.end()):
            ranges = _walk(body, opening.end(), elements)
            if ranges is not None:
                return ranges
    return []


def _walk(body: bytes, at: int, elements: list[msgspec.Raw]) -> list[tuple[int, int]] | None:
    """The ranges of elements of these lengths from `at` on; None when that is another list, of the same beginning."""
    ranges = []
    for left, element in zip(range(len(elements) - 1, -1, -1), elements, strict=True):
        after = at + len(memoryview(element))
        ranges.append((at, after))
        if left and body[after : after + 2] == b",{":
            at = after + 1
            continue
        gap = (_GAP if left else _CLOSE).match(body, after)
        if gap is None:
            return None
        at = gap.end()
    return ranges


def _first_place(body: bytes, name: str, value: bytes, after: int) -> list[int]:
    """One place at most: should the same bytes lie in more than one, any of them will do."""
    return [at for at in _places(body, name, after) if body.startswith(value, at)][:1]


def _places(body: bytes, name: str, after: int) -> Iterator[int]:
    """Where the value of a member with this name may begin: those behind `after` first. None when the name is written
    with escapes."""
    key, left = f'"{name}"'.encode(), _MOST_PLACES
    for start, end in ((after, len(body)), (0, after)):
        at = body.find(key, start, end)
        while at >= 0 and left > 0:
            colon = _COLON.match(body, at + len(key))
            if colon is not None:
                left -= 1
                yield colon.end()
            at = body.find(key, at + len(key), end)


def _run(body: bytes, kind: PartKind, ranges: list[tuple[int, int]]) -> Run:
    gaps = [body[before[1] : after[0]] for before, after in pairwise(ranges)]
    parts = [body[first:last] for first, last in ranges]
    same = gaps[0] if gaps and len(set(gaps)) == 1 else (gaps or _PLAIN_GAP)
    return Run(kind, ranges[0][0], ranges[-1][1], parts, same)


def join(literals: Sequence[bytes], runs: Sequence[tuple[Sequence[bytes], bytes | Sequence[bytes]]]) -> bytes:
    """The body again; `runs` are (parts, gaps). Raises ValueError when they do not fit together."""
    pieces = [literals[0]]
    for literal, (parts, gaps) in zip(literals[1:], runs, strict=True):
        pieces += [_join_run(parts, gaps), literal]
    return b"".join(pieces)


def _join_run(parts: Sequence[bytes], gaps: bytes | Sequence[bytes]) -> bytes:
    if isinstance(gaps, bytes):
        return gaps.join(parts)
    if len(gaps) != len(parts) - 1:
        raise ValueError("there are not as many gaps as there are parts")
    pieces = [parts[0]]
    for gap, part in zip(gaps, parts[1:], strict=True):
        pieces += (gap, part)
    return b"".join(pieces)
