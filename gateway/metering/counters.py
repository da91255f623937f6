"""The counters of one process: asked before a request is sent on, told what it came to when it is over.

Everything here is decided at once and in memory, on the event loop. What other processes and the ledger know comes in
by `gateway/metering/sharing.py` and `gateway/metering/books.py`, in the background; no request waits for either.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from gateway.policy.budgets import NOTHING, THRESHOLDS, Amount, BudgetRule, Standing
from gateway.policy.limits import LimitRule, Measure, WhenUnknown, Who
from gateway.policy.pools import Pool, Share, grant
from gateway.policy.rulebook import Rulebook
from gateway.policy.windows import Window

BY_REQUEST = frozenset({Measure.PER_SECOND, Measure.PER_MINUTE})
LEARNING = 0.2
"""How much the newest answer's length moves what is usual of its model."""
MOST_MODELS = 1000
IDLE_SECONDS = 600.0
FIRST_SECONDS = 1.0
"""How long what was not granted by anybody holds."""
STALL_SECONDS = 0.25
"""After this long without an answer it is not waited for."""
FOREVER = Window(0.0, math.inf)

Name = tuple[str, str, float]
"""Rule, subject, beginning of the window."""


class Why(Enum):
    FULL = "full"
    """The rate, or as many as may run at once."""
    BUSY = "busy"
    """What is left of a budget is put aside for requests under way."""
    SPENT = "spent"
    UNKNOWN = "unknown"


class Exceeded(Exception):
    """`wait` in seconds."""

    def __init__(self, counter: Counter, measure: Measure, why: Why, wait: float) -> None:
        super().__init__(why.value)
        self.counter = counter
        self.measure = measure
        self.why = why
        self.wait = wait


class Warned(NamedTuple):
    """A budget has come to `threshold` percent."""

    standing: Standing
    threshold: int


@dataclass(slots=True)
class Counter:
    """Of one rule and subject, in one window."""

    rule: LimitRule | BudgetRule
    subject: str
    window: Window
    pools: dict[Measure, Pool]
    seen: float
    known: bool = True
    """Whether what was used before this process began is known."""
    warned: dict[Measure, int] = field(default_factory=dict)
    changed: bool = True
    """Since it was written down last."""

    @property
    def name(self) -> Name:
        return self.rule.name, self.subject, self.window.start

    def follow(self, rule: LimitRule | BudgetRule, now: float) -> None:
        """The rule was changed: what was used stays used."""
        self.rule = rule
        fresh = rule.pools(now)
        for measure, pool in fresh.items():
            present = self.pools.get(measure)
            if present is not None:
                present.tick(now)
                present.capacity, present.leak, present.unit = pool.capacity, pool.leak, pool.unit
                fresh[measure] = present
        self.pools = fresh

    @property
    def is_open(self) -> bool:
        """Something of it is under way, or was not told or written down yet."""
        return self.changed or any(pool.held or (pool.share and pool.share.untold) for pool in self.pools.values())

    def standings(self) -> Iterator[Standing]:
        if isinstance(self.rule, BudgetRule):
            for measure, pool in self.pools.items():
                yield Standing(self.rule, measure, pool.used, pool.capacity, self.window, self.subject)


class Hold:
    """What one request holds of its counters. `close` gives it back and counts what was used; only the first counts."""

    __slots__ = ("_counters", "_held", "_open", "aside", "counted", "model")

    def __init__(self, counters: Counters, counted: list[Counter], aside: Amount | None, model: str) -> None:
        self._counters = counters
        self.counted = counted
        self.aside = aside
        self.model = model
        self._held: list[tuple[Counter, Measure, Pool, float]] = []
        self._open = True
        for counter in counted:
            for measure, pool in counter.pools.items():
                self._begin(counter, measure, pool)

    def _begin(self, counter: Counter, measure: Measure, pool: Pool) -> None:
        if measure in BY_REQUEST:
            pool.take(1.0)
        elif measure is Measure.AT_ONCE:
            pool.hold(1.0)
            self._held.append((counter, measure, pool, 1.0))
        elif self.aside is not None:
            amount = self.aside.usd if measure is Measure.USD else self.aside.tokens
            pool.hold(amount)
            self._held.append((counter, measure, pool, amount))

    def move(self, book: Rulebook, who: Who) -> None:
        """Another provider, or model, answers than was thought: what is counted of either goes by that one. The request
        stays where it was counted, because it was made there."""
        now = self._counters.now()
        before = {(counter.rule.name, counter.subject): counter for counter in self.counted}
        found = self._counters.find(book, who, now, budgets=self.aside is not None)
        after = {(counter.rule.name, counter.subject): counter for counter in found}
        stays: list[tuple[Counter, Measure, Pool, float]] = []
        goes: list[tuple[Counter, Measure, Pool, float]] = []
        for entry in self._held:
            (stays if (entry[0].rule.name, entry[0].subject) in after else goes).append(entry)
        self._held = stays
        for counter, _, pool, held in goes:
            pool.tick(now)
            pool.settle(held, 0.0)
            self._counters.note(counter)
        self.model = who.model
        self.counted = [before.get(name, counter) for name, counter in after.items()]
        for name, counter in after.items():
            if name not in before:
                for measure, pool in counter.pools.items():
                    self._begin(counter, measure, pool)

    def standings(self) -> list[Standing]:
        """Of the budgets that tell theirs to clients."""
        return [
            standing
            for counter in self.counted
            if isinstance(counter.rule, BudgetRule) and counter.rule.show
            for standing in counter.standings()
        ]

    def close(self, used: Amount = NOTHING) -> None:
        if not self._open:
            return
        self._open = False
        now = self._counters.now()
        for counter, measure, pool, held in self._held:
            pool.tick(now)
            amount = {Measure.AT_ONCE: 0.0, Measure.USD: used.usd}.get(measure, used.tokens)
            pool.settle(held, amount)
            self._counters.note(counter)


class Counters:
    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.all: dict[tuple[str, str], Counter] = {}
        self.past: list[Counter] = []
        """Of windows that have ended, until they are told and written down."""
        self.shared = False
        """With other processes."""
        self.reachable = False
        """What is shared can be reached, as far as is known."""
        self.asked_at: float | None = None
        """Since when an answer is awaited."""
        self.processes = 1
        self.seeded: frozenset[str] = frozenset()
        """Budgets whose past is known."""
        self.seeds: Mapping[Name, Mapping[Measure, float]] = {}
        self.usual: dict[str, float] = {}
        """Output tokens by model."""
        self.warned: list[Warned] = []
        self.stir: Callable[[], None] = lambda: None
        """Called when what is shared should be asked soon."""

    def admit(self, book: Rulebook, who: Who, aside: Amount | None) -> Hold | None:
        """Hold what the request needs; None when no rule is about it. Raises Exceeded, and then nothing is held.

        `aside` None: it asks no model for anything, so that only requests are counted.
        """
        now = self.now()
        counted = list(self.find(book, who, now, budgets=aside is not None))
        for counter in counted:
            for measure, pool in counter.pools.items():
                self._check(counter, measure, pool, now, metered=aside is not None)
        return Hold(self, counted, aside, who.model) if counted else None

    def find(self, book: Rulebook, who: Who, now: float, *, budgets: bool = True) -> Iterator[Counter]:
        for rule in book.limits:
            subject = rule.subject(who)
            if subject is not None:
                yield self.counter(rule, subject, FOREVER, now)
        for budget in book.budgets if budgets else ():
            subject = budget.subject(who)
            if subject is not None:
                yield self.counter(budget, subject, None, now)

    def counter(self, rule: LimitRule | BudgetRule, subject: str, window: Window | None, now: float) -> Counter:
        """The present one; a budget's `window` is found when it is None."""
        found = self.all.get((rule.name, subject))
        if found is not None and now < found.window.end:
            if found.rule is not rule and found.rule != rule:
                if isinstance(rule, BudgetRule) and rule.window(now).start != found.window.start:
                    return self._make(rule, subject, rule.window(now), now)
                found.follow(rule, now)
            found.seen = now
            if self.shared:
                self._look_at_shares(found, now)
            return found
        if found is not None:
            self.past.append(found)
        if window is None:
            assert isinstance(rule, BudgetRule)
            window = rule.window(now)
        return self._make(rule, subject, window, now)

    def _make(self, rule: LimitRule | BudgetRule, subject: str, window: Window, now: float) -> Counter:
        made = Counter(rule, subject, window, rule.pools(now), now)
        if isinstance(rule, BudgetRule):
            made.known = rule.name in self.seeded
            for measure, used in self.seeds.get(made.name, {}).items():
                if measure in made.pools:
                    made.pools[measure].learn(used)
        if self.shared:
            for pool in made.pools.values():
                pool.share = self._first_share(pool, now)
            self.stir()
        self.all[rule.name, subject] = made
        return made

    def _first_share(self, pool: Pool, now: float) -> Share:
        """Before anything was granted: of a rate what would be; of a budget one request, on credit."""
        if not (pool.leak or pool.unit):
            return Share(rest=max(0.0, pool.capacity - pool.used), until=now + FIRST_SECONDS)
        granted, rest = grant(pool.capacity, pool.used, 0.0, 0.0, pool.unit, self.processes)
        return Share(granted, rest, now + FIRST_SECONDS)

    def _look_at_shares(self, counter: Counter, now: float) -> None:
        for pool in counter.pools.values():
            if pool.share is None:
                pool.share = self._first_share(pool, now)
            elif pool.share.until <= now:
                pool.share.lapse(pool.held)
                self.stir()

    def _check(self, counter: Counter, measure: Measure, pool: Pool, now: float, *, metered: bool) -> None:
        if not metered and measure not in BY_REQUEST and measure is not Measure.AT_ONCE:
            return
        allows = counter.rule.when_unknown is WhenUnknown.ALLOW
        if not allows and not self._is_known(counter, pool, now):
            raise Exceeded(counter, measure, Why.UNKNOWN, 5.0)
        if pool.fits(now, alone=self.shared and allows and not self._is_reachable(now)):
            return
        self.stir()
        if isinstance(counter.rule, BudgetRule):
            if pool.is_used_up:
                raise Exceeded(counter, measure, Why.SPENT, counter.window.end - now)
            if self.shared and not allows and not self._is_reachable(now):
                raise Exceeded(counter, measure, Why.UNKNOWN, 5.0)
            raise Exceeded(counter, measure, Why.BUSY, 2.0)
        raise Exceeded(counter, measure, Why.FULL, max(1.0, pool.wait()))

    def _is_reachable(self, now: float) -> bool:
        return self.reachable and (self.asked_at is None or now - self.asked_at < STALL_SECONDS)

    def _is_known(self, counter: Counter, pool: Pool, now: float) -> bool:
        if not counter.known:
            return False
        return pool.share is None or self._is_reachable(now) or now < pool.share.until

    def note(self, counter: Counter) -> None:
        """It has changed: see whether somebody is to be warned."""
        counter.changed = True
        for standing in counter.standings():
            reached = [threshold for threshold in THRESHOLDS if standing.share * 100 >= threshold]
            if reached and reached[-1] > counter.warned.get(standing.measure, 0):
                counter.warned[standing.measure] = reached[-1]
                self.warned.append(Warned(standing, reached[-1]))

    def learn(self, seeds: Mapping[Name, Mapping[Measure, float]], budgets: frozenset[str]) -> None:
        """What the ledger says was used, of these budgets."""
        self.seeds, self.seeded = seeds, budgets
        for counter in self.all.values():
            if counter.rule.name not in budgets:
                continue
            counter.known = True
            for measure, used in seeds.get(counter.name, {}).items():
                pool = counter.pools.get(measure)
                if pool is not None:
                    pool.learn(used)
            self.note(counter)

    def was_usual(self, model: str, output_tokens: float) -> None:
        """An answer of `model` had so many."""
        before = self.usual.get(model)
        if before is not None or len(self.usual) < MOST_MODELS:
            self.usual[model] = output_tokens if before is None else before + LEARNING * (output_tokens - before)

    def tidy(self) -> None:
        """Forget the counters nobody needs: a rate that has leaked, a window that is over."""
        now = self.now()
        for key, counter in list(self.all.items()):
            if now >= counter.window.end:
                self.past.append(self.all.pop(key))
            elif counter.window is FOREVER and now - counter.seen > IDLE_SECONDS:
                counter.changed = False  # a rate is not written down
                if not counter.is_open:
                    del self.all[key]
        self.past = [counter for counter in self.past if counter.is_open]
