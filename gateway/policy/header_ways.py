"""All header rules in force, prepared for the kinds of requests there are. `header_rules.py` says what a rule does.

Most rules find nothing in a request, and the next one has the same headers: what was made of those that have rules is
known by their values, so that a hundred rules cost little more than one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.policy.header_rules import (
    EVERYTHING,
    KNOWN_VALUES,
    LONGEST_REMEMBERED,
    Deed,
    Direction,
    HeaderPair,
    HeaderRuleEntry,
    Plan,
    RuleContext,
)

KNOWN_KINDS: Final = 4096
LONGEST_KNOWN: Final = 200
LEFT_ALONE, RULED, SECRET = range(3)


class Way:
    """The headers of one direction, for one kind of request. What was made of headers before is known: clients and
    providers send the same with every request, and of all their headers only those with rules matter. Of secrets
    nothing is remembered."""

    __slots__ = ("_known", "_live", "_shadows", "_spellings", "_trial")

    def __init__(self, meant: Sequence[HeaderRuleEntry]) -> None:
        live = [entry for entry in meant if not entry.is_shadow]
        self._live = Plan(live)
        self._trial = Plan(meant) if len(live) < len(meant) else None
        self._shadows = frozenset(entry.label for entry in meant if entry.is_shadow)
        self._spellings: dict[bytes, int] = {}
        """What is done of each header's name as it is spelt: LEFT_ALONE, RULED, or SECRET, which is ruled, too. A
        plain dictionary: this is asked for every header of every request."""
        self._known: dict[tuple[HeaderPair, ...], Deed | None] = {}

    def deed(self, pairs: Sequence[HeaderPair]) -> Deed | None:
        """What the rules do to the headers; None: nothing was, or would have been, changed."""
        spellings = self._spellings
        try:
            ruled = tuple([pair for pair in pairs if spellings[pair[0]]])
        except KeyError:
            ruled = self._learn(pairs)
        try:
            return self._known[ruled]
        except KeyError:
            return self._find(ruled)

    def done(self, pairs: Sequence[HeaderPair], deed: Deed) -> list[HeaderPair]:
        """The headers, of which it is the deed, as they go on."""
        work = deed.work
        if not work.moved:
            return [*pairs, *work.added]
        kept: list[HeaderPair] = []
        place = -1
        for pair in pairs:
            if self._spelling(pair[0]):
                place += 1
                if place in work.moved:
                    text = work.moved[place]
                    if text is not None:
                        kept.append((pair[0], text))
                    continue
            kept.append(pair)
        return [*kept, *work.added]

    def _learn(self, pairs: Sequence[HeaderPair]) -> tuple[HeaderPair, ...]:
        return tuple([pair for pair in pairs if self._spelling(pair[0])])

    def _spelling(self, name: bytes) -> int:
        found = self._spellings.get(name)
        if found is None:
            group = (self._trial or self._live).groups.get(name.lower())
            found = LEFT_ALONE if group is None else RULED if group.remembers else SECRET
            if len(self._spellings) >= KNOWN_VALUES:
                self._spellings.clear()
            self._spellings[name] = found
        return found

    def _find(self, ruled: tuple[HeaderPair, ...]) -> Deed | None:
        deed = self._work_out(ruled)
        size = sum(len(text) for _, text in ruled)
        if size <= LONGEST_REMEMBERED and all(self._spelling(name) == RULED for name, _ in ruled):
            if len(self._known) >= KNOWN_VALUES:
                self._known.clear()
            self._known[ruled] = deed
        return deed

    def _work_out(self, ruled: tuple[HeaderPair, ...]) -> Deed | None:
        work = self._live.run(ruled)
        if self._trial is None:
            return Deed(work) if work.fired else None
        tried = self._trial.run(ruled)
        shadow = tuple(label for label in tried.fired if label in self._shadows)
        if not work.fired and not shadow:
            return None
        return Deed(work, shadow, tried.changes if shadow else ())


class Ways(NamedTuple):
    """None: no rule is for that direction."""

    there: Way | None
    back: Way | None


class HeaderRules:
    """All rules in force, in order. Of one snapshot: what was prepared for a kind of request is kept."""

    def __init__(self, entries: Sequence[HeaderRuleEntry]) -> None:
        self.entries = tuple(entries)
        self._asks_model = any(entry.models for entry in entries)
        self._asks = self._asks_model or any(entry.providers or entry.teams or entry.keys for entry in entries)
        self._ways: dict[RuleContext, Ways] = {}
        self.everyone = None if self._asks else self._prepare(EVERYTHING)
        """What holds for every request, where no rule asks what it is."""

    def context(self, provider: str, team: str, key: str, model: str | None) -> RuleContext:
        """What no rule asks for is left out, so that fewer kinds of requests are told apart."""
        if not self._asks:
            return EVERYTHING
        return RuleContext(provider, team, key, model if self._asks_model and model else "")

    def apply(self, direction: Direction, context: RuleContext, pairs: Sequence[HeaderPair]) -> list[HeaderPair]:
        """The headers as they go on."""
        ways = self.ways(context)
        way = ways.there if direction is Direction.REQUEST else ways.back
        deed = None if way is None else way.deed(pairs)
        return list(pairs) if way is None or deed is None else way.done(pairs, deed)

    def ways(self, context: RuleContext) -> Ways:
        return self._ways.get(context) or self._prepare(context)

    def _prepare(self, context: RuleContext) -> Ways:
        meant = [entry for entry in self.entries if entry.is_for(context)]
        there, back = ([entry for entry in meant if entry.direction is direction] for direction in Direction)
        ways = Ways(Way(there) if there else None, Way(back) if back else None)
        if len(self._ways) >= KNOWN_KINDS:
            self._ways.clear()
        if len(context.model) <= LONGEST_KNOWN:
            self._ways[context] = ways
        return ways
