"""The routes with conditions that one model's name fits: which of them holds for a request, found without trying all.

Who asks decides most of it and is the same in every turn: what holds for a key, its team and a dialect is sorted out
once and remembered. Of what is left, routes that ask for a literal header are found by it, the others tried in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from gateway.policy.patterns import fits, is_pattern
from gateway.policy.snapshot import Caller, Conditions, RouteEntry
from gateway.policy.strategies import Scenario

if TYPE_CHECKING:
    from gateway.policy.routing import Question

BYTES_PER_TOKEN: Final = 4
MOST_REMEMBERED: Final = 4000
LONGEST_LABEL: Final = 100
_place = itemgetter(0)
Placed = tuple[int, RouteEntry]


class Narrowed(NamedTuple):
    """`tried` are tried always, those in `by_header` when the request has that header; each with its place in the
    order. `names`: those of the headers."""

    tried: list[Placed]
    by_header: dict[tuple[bytes, bytes], list[Placed]]
    names: set[bytes]


class ConditionalRoutes:
    """`routes` are in the order they are tried in; all have conditions."""

    __slots__ = ("_narrowed", "routes")

    def __init__(self, routes: tuple[RouteEntry, ...]) -> None:
        self.routes = routes
        self._narrowed: dict[tuple[str, ...], Narrowed] = {}

    def find(self, question: Question) -> RouteEntry | None:
        """The first that holds."""
        narrowed = self._narrow(question)
        tried = narrowed.tried
        if narrowed.by_header:
            by_header = narrowed.by_header
            names = narrowed.names
            named = [pair for pair in question.headers if pair[0] in names]
            found = [placed for pair in named if pair in by_header for placed in by_header[pair]]
            tried = sorted([*tried, *found], key=_place) if found else tried
        for _, route in tried:
            assert route.conditions is not None
            if holds_for(route.conditions, question):
                return route
        return None

    def _narrow(self, question: Question) -> Narrowed:
        caller, label = question.caller, question.label
        key = (question.dialect, label) if caller is None else (question.dialect, label, caller.name, caller.team)
        narrowed = self._narrowed.get(key)
        if narrowed is None:
            narrowed = narrow(self.routes, question)
            if len(label) <= LONGEST_LABEL:
                if len(self._narrowed) >= MOST_REMEMBERED:
                    self._narrowed.clear()
                self._narrowed[key] = narrowed
        return narrowed


def narrow(routes: Sequence[RouteEntry], question: Question) -> Narrowed:
    narrowed = Narrowed([], {}, set())
    for place, route in enumerate(routes):
        conditions = route.conditions
        assert conditions is not None
        if is_for(conditions, question):
            literal = next(((name, match) for name, match in conditions.headers if not is_pattern(match)), None)
            if literal is None:
                narrowed.tried.append((place, route))
            else:
                pair = (literal[0], literal[1].encode("latin-1", "replace"))
                narrowed.by_header.setdefault(pair, []).append((place, route))
                narrowed.names.add(literal[0])
    return narrowed


def is_for(conditions: Conditions, question: Question) -> bool:
    """Whether who asks, and in which dialect, fits."""
    caller: Caller | None = question.caller
    return (
        (not conditions.dialects or question.dialect in conditions.dialects)
        and (not conditions.keys or (caller is not None and caller.name in conditions.keys))
        and (not conditions.teams or bool({caller.team if caller else "", question.label} & conditions.teams))
    )


def holds_for(conditions: Conditions, question: Question) -> bool:
    """What differs from request to request."""
    size = question.body_bytes
    return (
        (conditions.min_bytes is None or size >= conditions.min_bytes)
        and (conditions.max_bytes is None or size <= conditions.max_bytes)
        and in_scenario(conditions, question)
        and all(any_header(question.headers, name, match) for name, match in conditions.headers)
    )


def in_scenario(conditions: Conditions, question: Question) -> bool:
    scenario = conditions.scenario
    if scenario is None:
        return True
    if scenario is Scenario.LONG_CONTEXT:
        return question.body_bytes >= conditions.min_tokens * BYTES_PER_TOKEN
    if scenario is Scenario.BACKGROUND:
        return "haiku" in (question.model or "").lower()
    return scenario in question.scenarios


def any_header(headers: Sequence[tuple[bytes, bytes]], name: bytes, match: str) -> bool:
    return any(key == name and fits(match, value.decode("latin-1")) for key, value in headers)
