"""What ops change about headers on their way through: block, set or replace, in order, request and answer.

A rule touches one header only, so rules on different headers cannot meet; within one header they act in order, each on
what the one before left. Everything is prepared when the snapshot is built: which rules are for a request is looked up
by its provider, team, key and model, and of those only the ones whose header is there cost anything. Patterns are
RE2's, whose time grows with the length of the value and with nothing else.

Rules act on the headers as they are about to go out: the caller's key and the hop-by-hop headers are gone by then. What
frames a message cannot be named by a rule (`header_rule_checks.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.policy.patterns import fits
from gateway.policy.redaction import is_secret_name

HeaderPair = tuple[bytes, bytes]

LONGEST_VALUE: Final = 32 * 1024
"""A replacement that would make a value longer is not made."""
KNOWN_PLANS: Final = 4096
LONGEST_KNOWN: Final = 200
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


class Label(NamedTuple):
    """A rule as records name it."""

    id: int
    name: str


class Change(NamedTuple):
    """The values of one header before and after."""

    name: bytes
    before: tuple[bytes, ...]
    after: tuple[bytes, ...]


class Applied(NamedTuple):
    """`pairs` is what goes on; the list that was given when nothing changed. `fired` acted, if only for a later one."""

    pairs: list[HeaderPair]
    fired: tuple[Label, ...] = ()
    changes: tuple[Change, ...] = ()
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

    __slots__ = ("creating", "groups", "spellings")

    def __init__(self, entries: Iterable[HeaderRuleEntry]) -> None:
        by_header: dict[bytes, list[HeaderRuleEntry]] = {}
        for entry in entries:
            by_header.setdefault(entry.header, []).append(entry)
        self.groups = {header: build_group(rules) for header, rules in by_header.items()}
        self.creating = [header for header, group in self.groups.items() if group.creates]
        self.spellings: dict[bytes, bytes | None] = {}
        """Of the names that were seen: the header with rules that each is; None: it has none."""

    def run(self, pairs: list[HeaderPair]) -> tuple[list[HeaderPair], list[Label], list[Change]]:
        groups, spellings = self.groups, self.spellings
        found: dict[bytes, tuple[Value, ...]] = {}
        place = -1
        for name, text in pairs:
            place += 1
            try:
                header = spellings[name]
            except KeyError:
                header = self._spelt(name)
            if header is not None:
                found[header] = (*found[header], Value(place, text)) if header in found else (Value(place, text),)
        for header in self.creating:
            found.setdefault(header, ())
        fired: list[Label] = []
        changes: list[Change] = []
        moved: dict[int, bytes | None] = {}
        added: list[HeaderPair] = []
        for header, before in found.items():
            effect = groups[header].effect(before)
            if effect is None:
                continue
            fired += effect.fired
            if effect.change is not None:
                changes.append(effect.change)
                moved.update(effect.moved)
                added += effect.added
        if not changes:
            return pairs, fired, changes
        return (moving(pairs, moved) if moved else pairs) + added, fired, changes

    def _spelt(self, name: bytes) -> bytes | None:
        lower = name.lower()
        header = lower if lower in self.groups else None
        if len(self.spellings) >= KNOWN_VALUES:
            self.spellings.clear()
        self.spellings[name] = header
        return header


def moving(pairs: list[HeaderPair], moved: dict[int, bytes | None]) -> list[HeaderPair]:
    kept = []
    for place, pair in enumerate(pairs):
        if place not in moved:
            kept.append(pair)
        elif (text := moved[place]) is not None:
            kept.append((pair[0], text))
    return kept


class HeaderRules:
    """All rules in force, in order. Of one snapshot: plans that were made are kept."""

    def __init__(self, entries: Sequence[HeaderRuleEntry]) -> None:
        self.entries = tuple(entries)
        self.shadows = {entry.label for entry in entries if entry.is_shadow}
        self._asks_model = any(entry.models for entry in entries)
        self._by_direction = {
            direction: tuple(entry for entry in entries if entry.direction is direction) for direction in Direction
        }
        self._plans: dict[tuple[Direction, RuleContext], tuple[Plan | None, Plan | None]] = {}

    def context(self, provider: str, team: str, key: str, model: str | None) -> RuleContext:
        """`model` is left out where no rule asks for it, so that there are fewer plans."""
        return RuleContext(provider, team, key, model if self._asks_model and model else "")

    def apply(self, direction: Direction, context: RuleContext, pairs: list[HeaderPair]) -> Applied | None:
        """What the rules make of the headers; None: nothing was, or would have been, changed."""
        live, trial = self._plans.get((direction, context)) or self._prepare(direction, context)
        kept, fired, changes = live.run(pairs) if live is not None else (pairs, [], [])
        if trial is None:
            return Applied(kept, tuple(fired), tuple(changes)) if fired else None
        _, tried, would = trial.run(pairs)
        shadow = tuple(label for label in tried if label in self.shadows)
        if not fired and not shadow:
            return None
        return Applied(kept, tuple(fired), tuple(changes), shadow, tuple(would) if shadow else ())

    def _prepare(self, direction: Direction, context: RuleContext) -> tuple[Plan | None, Plan | None]:
        """The plan of those that are live, and where there are others the one of all."""
        meant = [entry for entry in self._by_direction[direction] if entry.is_for(context)]
        live = [entry for entry in meant if not entry.is_shadow]
        plans = (Plan(live) if live else None, Plan(meant) if len(live) < len(meant) else None)
        if len(self._plans) >= KNOWN_PLANS:
            self._plans.clear()
        if len(context.model) <= LONGEST_KNOWN:
            self._plans[direction, context] = plans
        return plans


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


class Pattern:
    """A compiled RE2 pattern over bytes."""

    __slots__ = ("search", "sub")
    search: Callable[[bytes], object]
    sub: Callable[[bytes, bytes], bytes]

    def __init__(self, source: bytes) -> None:
        # Takes memory that a process without patterns need not spend.
        import re2

        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.log_errors = False
        compiled = re2.compile(source, options)
        self.search = compiled.search
        self.sub = compiled.sub


def compile_pattern(source: bytes) -> Pattern:
    """Raises ValueError, with RE2's own words, for what it does not take: looking around and back-references, which
    would make the time it takes unbounded, and repetitions above 1000."""
    import re2

    try:
        return Pattern(source)
    except re2.error as error:
        words = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(words) from None


def build_sieve(rules: list[HeaderRuleEntry]) -> Callable[[bytes], object] | None:
    """Says at once whether any of many patterns is in a value; None when they are too many even for that."""
    import re2

    parts = [b"(?:" + (rule.find if rule.is_pattern else re2.escape(rule.find)) + b")" for rule in rules]
    try:
        return compile_pattern(b"|".join(parts)).search
    except ValueError:
        return None
