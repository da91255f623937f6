"""Where the members of a JSON object lie, in bytes, without parsing what they hold.

Regular expressions jump from bracket to bracket; possessive quantifiers keep them linear on whatever they are given,
because nothing is ever tried twice. Whether the body is valid JSON is not found out: for valid bodies the ranges are
right, for others they are whatever was found before it broke off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

# A body made of little else than brackets or members would hold up everybody for seconds. Real ones take far fewer
# steps than this even at 32 MiB.
_MOST_STEPS: Final = 2_000_000
_STEPS_OF_A_MEMBER: Final = 10

_STRING: Final = rb'"(?:[^"\\]++|\\.)*+"'
_OPENING: Final = re.compile(rb"(?:\xef\xbb\xbf)?+\s*+\{\s*+")
_MEMBER: Final = re.compile(rb"(%s)\s*+:\s*+" % _STRING, re.DOTALL)
_PLAIN: Final = re.compile(rb'%s|[^\s,{}\[\]"]++' % _STRING, re.DOTALL)
_BRACKETS: Final = re.compile(rb'(?:[^"{}\[\]]++|%s)*+([{\[]++|[}\]]++)' % _STRING, re.DOTALL)
_LIST_OPENING: Final = re.compile(rb"\[\s*+")
_COMMA: Final = re.compile(rb"\s*+,\s*+")
_CLOSING: Final = re.compile(rb"\s*+\}\s*+\Z")


class Member(NamedTuple):
    """One top-level member: its key as it is written, with the quotes, and the range [start, end) of its value."""

    key: bytes
    start: int
    end: int


def members_of(body: bytes) -> Iterator[Member]:
    """The members of the object that `body` is, in order, duplicates too. Stops where the body breaks off, or after
    more steps than a real body takes."""
    place, steps = _OPENING.match(body), _MOST_STEPS
    while place is not None and steps > 0:
        member = _MEMBER.match(body, place.end())
        if member is None:
            return
        start, steps = member.end(), steps - _STEPS_OF_A_MEMBER
        if body[start : start + 1] in (b"{", b"["):
            end, steps = _skip_container(body, start, steps)
        else:
            end = _skip_plain(body, start)
        if end is None:
            return
        yield Member(member[1], start, end)
        place = _COMMA.match(body, end)


def elements_of(body: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The ranges of the elements of the list that lies at [start, end) of `body`, in order. Stops where the list breaks
    off, or after more steps than a real one takes."""
    place, steps = _LIST_OPENING.match(body, start), _MOST_STEPS
    while place is not None and steps > 0 and (first := place.end()) < end - 1:
        steps -= _STEPS_OF_A_MEMBER
        if body[first : first + 1] in (b"{", b"["):
            last, steps = _skip_container(body, first, steps)
        else:
            last = _skip_plain(body, first)
        if last is None or last >= end:
            return
        yield first, last
        place = _COMMA.match(body, last)


def closes_at(body: bytes, end: int) -> bool:
    """Whether the object, whose last member's value ends at `end`, closes there and nothing follows it."""
    return _CLOSING.match(body, end) is not None


def _skip_plain(body: bytes, start: int) -> int | None:
    plain = _PLAIN.match(body, start)
    return plain.end() if plain is not None else None


def _skip_container(body: bytes, start: int, steps: int) -> tuple[int | None, int]:
    """Where the object or list that begins at `start` ends, None when it does not, and the steps left."""
    depth, match = 0, _BRACKETS.match
    position = start
    while steps > 0 and (found := match(body, position)) is not None:
        steps -= 1
        position = found.end()
        size = position - found.start(1)
        if body[position - 1] in b"{[":
            depth += size
        elif depth > size:
            depth -= size
        else:
            # A run of closing brackets may close what lies around the container too.
            return position - (size - depth), steps
    return None, steps
