"""What ops change about headers on their way through: block, set or replace, in order, request and answer.

A rule touches one header only, so rules on different headers cannot meet; within one header they act in order, each on
what the one before left. Everything is prepared when the snapshot is built: which rules are for a request is looked up
by its provider, team, key and model, and of those only the ones whose header is there cost anything, once for the same
values.

Rules act on the headers as they are about to go out: the caller's key and the hop-by-hop headers are gone by then. What
frames a message cannot be named by a rule (`header_rule_checks.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.policy.header_patterns import Pattern, compile_pattern
from gateway.policy.patterns import fits
from gateway.policy.redaction import is_secret_name

HeaderPair = tuple[bytes, bytes]

LONGEST_VALUE: Final = 32 * 1024
"""A replacement that would make a value longer is not made."""
SIEVED: Final = 2
"""So many replacements on one header are first looked for all at once."""
KNOWN_VALUES: Final = 256
LONGEST_REMEMBERED: Final = 512
"""In bytes: values whose outcome is remembered."""


class Direction(StrEnum):
    REQUEST = "request"
    RESPONSE = "response"


class Action(StrEnum):
    BLOCK = "block"
    SET = "set"
    REPLACE = "replace"


class RuleState(StrEnum):
    DRAFT = "draft"
    SHADOW = "shadow"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class HeaderRuleEntry:
    """`header` in lower case. `find` and `value` are what replace works with; with `is_pattern` `find` is RE2 and
    `value` may name its groups (`\\1`). Empty scopes: everything; `models` are names or patterns."""

    id: int
    name: str
    direction: Direction
    header: bytes
    action: Action
    value: bytes = b""
    find: bytes = b""
    is_pattern: bool = False
    is_shadow: bool = False
    providers: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()

    @property
    def label(self) -> Label:
        return Label(self.id, self.name)

    def is_for(self, context: RuleContext) -> bool:
        return (
            (not self.providers or context.provider in self.providers)
            and (not self.teams or context.team in self.teams)
            and (not self.keys or context.key in self.keys)
            and (not self.models or any(fits(model, context.model) for model in self.models))
        )


class RuleContext(NamedTuple):
    """What scopes are about. `model` is the one the provider is asked for; empty where nothing is known."""

    provider: str
    team: str = ""
    key: str = ""
    model: str = ""


EVERYTHING = RuleContext("")


class Label(NamedTuple):
    """A rule as records name it."""

    id: int
    name: str


class Change(NamedTuple):
    """The values of one header before and after."""

    name: bytes
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]


class Work(NamedTuple):
    """What rules do to pairs. `moved` by place among the ones that have rules: the value there now; None: it goes."""

    fired: tuple[Label, ...]
    changes: tuple[Change, ...]
    moved: Mapping[int, bytes | None] = {}
    added: Sequence[HeaderPair] = ()


class Deed(NamedTuple):
    """What was done to the headers of one direction, those that acted only for a later rule included. The same object
    for all headers to which the same was done before, as far as that is remembered."""

    work: Work
    shadow: tuple[Label, ...] = ()
    """Those in shadow that would have changed something, and what: `would`."""
    would: tuple[Change, ...] = ()


class Value(NamedTuple):
    """A value and where among the pairs it stands; None: it stands nowhere yet."""

    place: int | None
    text: bytes


Step = Callable[[list[Value]], list[Value]]
"""What a rule makes of the values of its header; the same list when it changes nothing."""


class Effect(NamedTuple):
    """What the rules of one header make of its values. No change: they acted on each other's work alone."""

    fired: tuple[Label, ...]
    change: Change | None = None
    moved: tuple[tuple[int, bytes | None], ...] = ()
    """By place among the pairs: the value there now; None: it goes."""
    added: tuple[HeaderPair, ...] = ()


@dataclass(slots=True)
class Group:
    """The rules of one header, in order."""

    header: bytes
    steps: list[tuple[Label, Step]] = field(default_factory=list)
    creates: bool = False
    """One of them sets the header where there is none."""
    sieve: Callable[[bytes], object] | None = None
    """None from it: none of the rules, which are all replacements, finds anything in the value."""
    remembers: bool = True
    known: dict[tuple[Value, ...], Effect | None] = field(default_factory=dict)
    """What was worked out before: clients send the same values with every request. Not of secrets."""

    def effect(self, before: tuple[Value, ...]) -> Effect | None:
        """None: nothing fires."""
        if before in self.known:
            return self.known[before]
        found = self.work_out(before)
        if self.remembers and sum(len(value.text) for value in before) <= LONGEST_REMEMBERED:
            if len(self.known) >= KNOWN_VALUES:
                self.known.clear()
            self.known[before] = found
        return found

    def work_out(self, given: tuple[Value, ...]) -> Effect | None:
        before, acted = list(given), []
        if self.sieve is not None and all(self.sieve(value.text) is None for value in before):
            return None
        values = before
        for label, step in self.steps:
            after = step(values)
            if after is not values:
                acted.append(label)
                values = after
        if not acted:
            return None
        if values == before:
            return Effect(tuple(acted))
        change = Change(self.header, tuple(text for _, text in before), tuple(text for _, text in values))
        moved: dict[int, bytes | None] = {value.place: None for value in before if value.place is not None}
        moved |= {value.place: value.text for value in values if value.place is not None}
        added = tuple((self.header, value.text) for value in values if value.place is None)
        return Effect(tuple(acted), change, tuple(moved.items()), added)


class Plan:
    """The rules that are for one kind of request, by header."""

    __slots__ = ("creating", "groups")

    def __init__(self, entries: Iterable[HeaderRuleEntry]) -> None:
        by_header: dict[bytes, list[HeaderRuleEntry]] = {}
        for entry in entries:
            by_header.setdefault(entry.header, []).append(entry)
        self.groups = {header: build_group(rules) for header, rules in by_header.items()}
        self.creating = [header for header, group in self.groups.items() if group.creates]

    def run(self, pairs: Iterable[HeaderPair]) -> Work:
        """Of pairs of which each is of a header that has rules, or of none."""
        found: dict[bytes, tuple[Value, ...]] = {}
        for place, (name, text) in enumerate(pairs):
            header = name.lower()
            if header in self.groups:
                found[header] = (*found.get(header, ()), Value(place, text))
        for header in self.creating:
            found.setdefault(header, ())
        fired: list[Label] = []
        changes: list[Change] = []
        moved: dict[int, bytes | None] = {}
        added: list[HeaderPair] = []
        for header, before in found.items():
            effect = self.groups[header].effect(before)
            if effect is None:
                continue
            fired += effect.fired
            if effect.change is not None:
                changes.append(effect.change)
                moved.update(effect.moved)
                added += effect.added
        return Work(tuple(fired), tuple(changes), moved, added)


def build_group(rules: list[HeaderRuleEntry]) -> Group:
    header = rules[0].header
    group = Group(header, remembers=not is_secret_name(header.decode("latin-1")))
    group.steps = [(rule.label, build_step(rule)) for rule in rules]
    group.creates = any(rule.action is Action.SET for rule in rules)
    if len(rules) >= SIEVED and all(rule.action is Action.REPLACE for rule in rules):
        group.sieve = build_sieve(rules)
    return group


def build_step(rule: HeaderRuleEntry) -> Step:
    if rule.action is Action.BLOCK:
        return lambda values: [] if values else values
    if rule.action is Action.SET:
        return set_to(rule.value)
    return replacing(compile_pattern(rule.find), rule.value) if rule.is_pattern else replacing_text(rule)


def set_to(text: bytes) -> Step:
    """One value, where the first one stood."""

    def step(values: list[Value]) -> list[Value]:
        if len(values) == 1 and values[0].text == text:
            return values
        return [Value(values[0].place if values else None, text)]

    return step


def replacing_text(rule: HeaderRuleEntry) -> Step:
    find, text = rule.find, rule.value

    def step(values: list[Value]) -> list[Value]:
        if not any(find in value.text for value in values):
            return values
        return changed(values, lambda value: value.replace(find, text))

    return step


def replacing(pattern: Pattern, text: bytes) -> Step:
    def step(values: list[Value]) -> list[Value]:
        if not any(pattern.search(value.text) for value in values):
            return values
        return changed(values, lambda value: pattern.sub(text, value))

    return step


def changed(values: list[Value], replace: Callable[[bytes], bytes]) -> list[Value]:
    """The values with what was found replaced; the same list when that changes nothing, or makes one too long."""
    after = [Value(value.place, replace(value.text).strip(b" \t")) for value in values]
    if after == values or any(len(value.text) > LONGEST_VALUE for value in after):
        return values
    return after


def build_sieve(rules: list[HeaderRuleEntry]) -> Callable[[bytes], object] | None:
    """Says at once whether any of many patterns is in a value; None when they are too many even for that."""
    import re2

    parts = [b"(?:" + (rule.find if rule.is_pattern else re2.escape(rule.find)) + b")" for rule in rules]
    try:
        return compile_pattern(b"|".join(parts)).search
    except ValueError:
        return None
