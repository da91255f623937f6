"""What moves through a conversation without being part of it, taken out of a part and kept as edits.

Claude Code marks the end of what the provider shall cache with a `cache_control` member, and the mark moves on with
each turn; a message that bore one turns from a list with one text block into a plain string; three digits of the
attribution line in the first system block change with the prompt. What is left after all that is taken out is the same
in every turn, so it is stored once. Putting the edits back gives the part byte for byte, whatever was taken for a mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from gateway.dialects.request_parts import PartKind

MARK: Final = b'"cache_control"'
ATTRIBUTION: Final = b"x-anthropic-billing-header: "

_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_OBJECT: Final = rb'\{(?:[^{}"]++|%s)*+\}' % _STRING
_MARKS: Final = re.compile(
    rb',\s*+"cache_control"\s*+:\s*+(?:%s|null)|"cache_control"\s*+:\s*+(?:%s|null)\s*+,' % (_OBJECT, _OBJECT),
    re.DOTALL,
)
_ONE_TEXT: Final = re.compile(
    rb'\{"role":%s,"content":(\[\{"type":"text","text":)%s(,"cache_control":%s\}\])(?=[,}])'
    % (_STRING, _STRING, _OBJECT),
    re.DOTALL,
)
_CHANGING_DIGITS: Final = re.compile(rb"x-anthropic-billing-header: [^\"]{0,80}?cc_version=[0-9.]+\.([0-9a-f]{3});")


class Edit(NamedTuple):
    """`text` was taken out at `offset` of what is left."""

    offset: int
    text: bytes


class Reduced(NamedTuple):
    data: bytes
    edits: Sequence[Edit]


def reduce(kind: PartKind, part: bytes) -> Reduced:
    """What is left of a part without its marks."""
    if MARK in part:
        return _without(part, _mark_ranges(kind, part))
    if kind is PartKind.SYSTEM and ATTRIBUTION in part:
        found = _CHANGING_DIGITS.search(part)
        return _without(part, [found.span(1)] if found else [])
    return Reduced(part, ())


def restore(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The part again. Raises ValueError when an edit lies outside of it."""
    pieces: list[bytes] = []
    done = 0
    for offset, text in edits:
        if not done <= offset <= len(data):
            raise ValueError("an edit lies outside of its part")
        pieces += (data[done:offset], text)
        done = offset
    pieces.append(data[done:])
    return b"".join(pieces)


def _mark_ranges(kind: PartKind, part: bytes) -> list[tuple[int, int]]:
    whole = _ONE_TEXT.match(part) if kind is PartKind.MESSAGE else None
    if whole is not None:
        return [whole.span(1), whole.span(2)]
    return [found.span() for found in _MARKS.finditer(part)]


def _without(part: bytes, ranges: Iterable[tuple[int, int]]) -> Reduced:
    pieces: list[bytes] = []
    edits: list[Edit] = []
    done = left = 0
    for start, end in ranges:
        pieces.append(part[done:start])
        left += start - done
        edits.append(Edit(left, part[start:end]))
        done = end
    pieces.append(part[done:])
    return Reduced(b"".join(pieces), edits)
