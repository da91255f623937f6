"""Counters of a process: which rule refuses and why, and what a change of a rule keeps."""

from __future__ import annotations

import pytest

from gateway.metering.counters import Counters, Exceeded, Why
from gateway.policy.budgets import Amount, BudgetRule, standing_headers, tightest
from gateway.policy.limits import LimitRule, Measure, Scope, WhenUnknown, Who, read_addresses
from gateway.policy.rulebook import Rulebook
from gateway.policy.windows import Period

ADA = Who(team="search", member="ada", key="ada-1", session="s", model="claude-x", provider="p", address="10.1.2.3")
SMALL = Amount(10.0, 0.1)


class Clock:
    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.mark.parametrize("scope", list(Scope))
def test_every_scope_has_counters_of_its_own(scope: Scope) -> None:
    counters, book = Counters(Clock()), Rulebook(limits=(LimitRule(name="one", scope=scope, at_once=1),))
    assert counters.admit(book, ADA, SMALL)
    with pytest.raises(Exceeded) as refused:
        counters.admit(book, ADA, SMALL)
    assert (refused.value.why, refused.value.measure) == (Why.FULL, Measure.AT_ONCE)
    if scope is not Scope.EVERYTHING:
        other = "10.9.9.9" if scope is Scope.ADDRESS else "other"
        assert counters.admit(book, Who(**{scope.value: other}), SMALL)
        assert counters.admit(book, Who(), SMALL) is None


def test_names_models_and_networks_narrow_a_rule() -> None:
    keys = LimitRule(name="keys", scope=Scope.KEY, names=("ci-*",), models=("claude-*",), at_once=1)
    assert keys.subject(Who(key="ci-1", model="claude-x")) == "ci-1"
    assert keys.subject(Who(key="ada", model="claude-x")) is None
    assert keys.subject(Who(key="ci-1", model="gpt-5.5")) is None
    names = ("10.0.0.0/8",)
    network = LimitRule(name="net", scope=Scope.ADDRESS, names=names, networks=read_addresses(names), at_once=1)
    assert network.subject(Who(address="10.1.2.3")) == "10.1.2.3"
    assert network.subject(Who(address="::ffff:10.1.2.3")) == "::ffff:10.1.2.3"
    assert network.subject(Who(address="192.0.2.1")) is None
    assert network.subject(Who(address="socket")) is None


def test_nothing_is_held_when_one_rule_refuses() -> None:
    wide, narrow = LimitRule(name="wide", at_once=5), LimitRule(name="narrow", per_minute=1.0)
    counters, book = Counters(Clock()), Rulebook(limits=(wide, narrow))
    hold = counters.admit(book, ADA, SMALL)
    assert hold is not None
    with pytest.raises(Exceeded):
        counters.admit(book, ADA, SMALL)
    assert counters.all["wide", ""].pools[Measure.AT_ONCE].held == 1
    hold.close()
    hold.close()
    assert counters.all["wide", ""].pools[Measure.AT_ONCE].held == 0


def test_a_new_window_begins_empty_and_what_was_begun_before_counts_for_the_old() -> None:
    clock = Clock()
    counters, rule = Counters(clock), BudgetRule(name="day", period=Period.DAILY, zone="Europe/Berlin", tokens=100)
    book = Rulebook(budgets=(rule,))
    hold = counters.admit(book, ADA, SMALL)
    assert hold is not None
    before = counters.all["day", ""]
    clock.time = before.window.end
    after = counters.admit(book, ADA, SMALL)
    hold.close(Amount(100.0))
    assert after is not None
    assert (before.pools[Measure.TOKENS].used, after.counted[0].pools[Measure.TOKENS].used) == (100.0, 0.0)
    assert before in counters.past


def test_a_spent_budget_waits_for_its_window_and_a_busy_one_does_not() -> None:
    counters, rule = Counters(Clock()), BudgetRule(name="day", period=Period.DAILY, tokens=100)
    book = Rulebook(budgets=(rule,))
    hold = counters.admit(book, ADA, Amount(500.0))
    assert hold is not None
    with pytest.raises(Exceeded) as busy:
        counters.admit(book, ADA, Amount(500.0))
    assert (busy.value.why, busy.value.wait) == (Why.BUSY, 2.0)
    hold.close(Amount(100.0))
    with pytest.raises(Exceeded) as spent:
        counters.admit(book, ADA, Amount(500.0))
    assert spent.value.why is Why.SPENT
    assert 0 < spent.value.wait <= 86_400


def test_a_budget_that_refuses_what_is_not_known_waits_for_its_past() -> None:
    rule = BudgetRule(name="day", period=Period.DAILY, tokens=100, when_unknown=WhenUnknown.REFUSE)
    counters, book = Counters(Clock()), Rulebook(budgets=(rule,))
    with pytest.raises(Exceeded) as unknown:
        counters.admit(book, ADA, SMALL)
    assert unknown.value.why is Why.UNKNOWN
    start = rule.window(counters.now()).start
    counters.learn({("day", "", start): {Measure.TOKENS: 60.0}}, frozenset({"day"}))
    hold = counters.admit(book, ADA, SMALL)
    assert hold is not None
    assert hold.standings()[0].share == 0.6


def test_warnings_come_once_each_and_a_jump_says_the_highest() -> None:
    counters, rule = Counters(Clock()), BudgetRule(name="day", period=Period.DAILY, tokens=100)
    for used in (40.0, 20.0, 1.0, 30.0, 9.0):
        hold = counters.admit(Rulebook(budgets=(rule,)), ADA, Amount(1.0))
        assert hold is not None
        hold.close(Amount(used))
    assert [warned.threshold for warned in counters.warned] == [50, 90, 100]


def test_the_tightest_budget_is_told() -> None:
    clock = Clock()
    counters = Counters(clock)
    loose, tight = (BudgetRule(name=name, period=Period.DAILY, tokens=size) for name, size in (("a", 1000), ("b", 100)))
    hidden = BudgetRule(name="c", period=Period.DAILY, tokens=90, show=False)
    book = Rulebook(budgets=(loose, tight, hidden))
    hold = counters.admit(book, ADA, Amount(1.0))
    assert hold is not None
    hold.close(Amount(76.0))
    standing = tightest(hold.standings())
    assert standing is not None
    assert standing.rule.name == "b"
    told = dict(standing_headers(standing))
    assert told[b"anthropic-ratelimit-unified-overage-utilization"] == b"0.76"


def test_idle_rates_are_forgotten_and_running_ones_are_not() -> None:
    clock = Clock()
    counters = Counters(clock)
    book = Rulebook(limits=(LimitRule(name="rate", scope=Scope.SESSION, per_minute=10.0, at_once=5),))
    hold = counters.admit(book, ADA, SMALL)
    clock.time += 10_000
    counters.tidy()
    assert counters.all
    assert hold is not None
    hold.close()
    counters.tidy()
    assert not counters.all


def test_what_another_target_answers_is_counted_of_that_one() -> None:
    """The first target failed: its model's budget and its provider's places are free again, the other's are held."""
    everyone = BudgetRule(name="all", usd=10.0, period=Period.DAILY)
    models = BudgetRule(name="models", scope=Scope.MODEL, usd=10.0, period=Period.DAILY)
    dear = BudgetRule(name="dear", models=("dear",), usd=10.0, period=Period.DAILY)
    places = LimitRule(name="places", scope=Scope.PROVIDER, at_once=5, per_minute=60.0)
    book = Rulebook(limits=(places,), budgets=(everyone, models, dear))
    counters = Counters(Clock())
    hold = counters.admit(book, Who(model="dear", provider="one"), Amount(10.0, 4.0))
    assert hold is not None
    hold.move(book, Who(model="cheap", provider="two"))

    def state(rule: str, subject: str, measure: Measure) -> tuple[float, float]:
        pool = counters.all[rule, subject].pools[measure]
        return pool.held, pool.used

    assert state("dear", "", Measure.USD) == state("models", "dear", Measure.USD) == (0.0, 0.0)
    assert state("models", "cheap", Measure.USD) == state("all", "", Measure.USD) == (4.0, 0.0)
    assert (state("places", "one", Measure.AT_ONCE), state("places", "two", Measure.AT_ONCE)) == ((0, 0), (1, 0))
    # It was a request to both.
    assert state("places", "one", Measure.PER_MINUTE)[1] == pytest.approx(1.0)
    assert state("places", "two", Measure.PER_MINUTE)[1] == pytest.approx(1.0)
    hold.close(Amount(20.0, 3.0))
    assert state("dear", "", Measure.USD) == state("models", "dear", Measure.USD) == (0.0, 0.0)
    assert state("models", "cheap", Measure.USD) == state("all", "", Measure.USD) == (0.0, 3.0)
    assert state("places", "two", Measure.AT_ONCE) == (0, 0)
