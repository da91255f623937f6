"""The text around what was found, and where in it that is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.history.search.query import Query

BEFORE: Final = 60
LENGTH: Final = 240
MOST_SPANS: Final = 20
_SPACE: Final = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class Snippet:
    """`spans` are [start, end) in `text`. `cut_before` and `cut_after`: the whole text goes on there."""

    text: str
    spans: tuple[tuple[int, int], ...] = ()
    cut_before: bool = False
    cut_after: bool = False


def snippet_of(text: str, query: Query) -> Snippet:
    """The first place of the first thing asked for; the beginning, when only labels were."""
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in _patterns(query)]
    found = (match.start() for pattern in patterns for match in [pattern.search(text)] if match)
    first = min(found, default=0)
    start = max(0, first - BEFORE)
    shown = _SPACE.sub(" ", text[start : start + LENGTH])
    spans = sorted({match.span() for pattern in patterns for match in pattern.finditer(shown)})
    return Snippet(shown, tuple(_merged(spans))[:MOST_SPANS], start > 0, start + LENGTH < len(text))


def _patterns(query: Query) -> Iterator[str]:
    for piece in query.pieces:
        # What was a line's end in the text is a space in the snippet.
        yield r"\s".join(re.escape(part) for part in _SPACE.split(piece))
    for word in query.words:
        yield rf"(?<![^\W_]){re.escape(word)}(?![^\W_])"
    for prefix in query.prefixes:
        yield rf"(?<![^\W_]){re.escape(prefix)}"


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Without overlaps."""
    end = -1
    for start, stop in spans:
        if start >= end:
            yield start, stop
            end = stop
