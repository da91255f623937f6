"""Where the parts of a request body lie, in bytes: its tools, its system prompt, its messages.

A body is cut, never parsed and written again: `join` of what `split` found is the body, byte for byte. msgspec tells
where the values end, and skips over what they hold; a body it refuses (half a surrogate pair in an old tool result,
bytes that are not UTF-8, NaN) is scanned by regular expressions instead, so that one odd message does not make all
later turns of its conversation unsplittable.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from gateway.dialects.json_members import elements_of, members_of
from gateway.dialects.names import Dialect

_ABSENT: Final = msgspec.Raw(b"")
_MOST_PARTS: Final = 50_000
_MOST_PLACES: Final = 100
"""Places where a member could lie that are looked at: a hostile body has a million of them."""
_PLAIN_GAP: Final = b","
_GAP: Final = re.compile(rb"\s*+,\s*+")
_COLON: Final = re.compile(rb"\s*+:\s*+")
_OPEN: Final = re.compile(rb"\[\s*+")
_SLICES: Final = msgspec.json.Decoder(list[msgspec.Raw])


class PartKind(IntEnum):
    """What a part is. The order of the values is that of the provider's prompt cache: tools, system, messages."""

    TOOL = 1
    SYSTEM = 2
    MESSAGE = 3


class _Members(msgspec.Struct):
    tools: msgspec.Raw = _ABSENT
    functions: msgspec.Raw = _ABSENT
    system: msgspec.Raw = _ABSENT
    instructions: msgspec.Raw = _ABSENT
    messages: msgspec.Raw = _ABSENT
    input: msgspec.Raw = _ABSENT


_DECODER: Final = msgspec.json.Decoder(_Members)
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


class _Value(NamedTuple):
    kind: PartKind
    start: int
    end: int


def split(dialect: Dialect, body: bytes) -> Split | Unsplit:
    """The parts of a body whose content coding is identity. Never raises."""
    kinds = _KINDS[dialect]
    if not kinds:
        return Unsplit("no shape that is known")
    values = _values(kinds, body)
    if values is None:
        return Unsplit("not a JSON object")
    runs = [run for value in sorted(values, key=lambda v: v.start) if (run := _run(body, value)) is not None]
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


def _values(kinds: dict[str, PartKind], body: bytes) -> list[_Value] | None:
    """None when the body is no object."""
    try:
        members = _DECODER.decode(body)
    except (ValueError, RecursionError):
        return _scanned_values(kinds, body)
    found = []
    for name, kind in kinds.items():
        raw = getattr(members, name)
        if raw is not _ABSENT:
            value = bytes(raw)
            start = _find(body, name, value) if value[:1] in (b"[", b'"') else -1
            if start >= 0:
                found.append(_Value(kind, start, start + len(value)))
    return found


def _find(body: bytes, name: str, value: bytes) -> int:
    """Where a member with this value lies; -1 when its name is written with escapes. Should the same bytes lie in
    more than one place, any of them will do."""
    key = f'"{name}"'.encode()
    at, places = body.find(key), _MOST_PLACES
    while at >= 0 and places > 0:
        colon = _COLON.match(body, at + len(key))
        if colon is not None:
            if body.startswith(value, colon.end()):
                return colon.end()
            places -= 1
        at = body.find(key, at + len(key))
    return -1


def _scanned_values(kinds: dict[str, PartKind], body: bytes) -> list[_Value] | None:
    """By the scanner, which does not find out whether the body is right."""
    found: dict[str, _Value] = {}
    end = None
    for key, start, end in members_of(body):
        name = key[1:-1].decode("latin-1")
        if name in kinds and body[start : start + 1] in (b"[", b'"'):
            found[name] = _Value(kinds[name], start, end)
    return None if end is None else list(found.values())


def _run(body: bytes, value: _Value) -> Run | None:
    """None for an empty list, and for one that holds anything but objects."""
    kind, start, end = value
    if body[start : start + 1] == b'"':
        return Run(kind, start, end, [body[start:end]])
    ranges = _element_ranges(body, start, end)
    if not ranges or any(body[first : first + 1] != b"{" for first, _ in ranges):
        return None
    gaps = [body[before[1] : after[0]] for before, after in pairwise(ranges)]
    return Run(
        kind,
        ranges[0][0],
        ranges[-1][1],
        [body[first:last] for first, last in ranges],
        gaps[0] if gaps and len(set(gaps)) == 1 else (gaps or _PLAIN_GAP),
    )


def _element_ranges(body: bytes, start: int, end: int) -> list[tuple[int, int]]:
    try:
        elements = _SLICES.decode(memoryview(body)[start:end])
    except (ValueError, RecursionError):
        return list(elements_of(body, start, end))
    opening = _OPEN.match(body, start)
    at = opening.end() if opening is not None else start
    ranges = []
    for element in elements:
        after = at + len(memoryview(element))
        ranges.append((at, after))
        if body[after : after + 2] == b",{":
            at = after + 1
        elif (gap := _GAP.match(body, after)) is not None:
            at = gap.end()
    return ranges


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
