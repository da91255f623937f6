"""The circuit breaker as a state machine: whatever happens in whatever order, these things hold."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from gateway.policy.breaker import Breaker, BreakerRules, BreakerState, Pass, Transition

RULES = BreakerRules(failures=3, open_seconds=10.0, successes=2, error_share=0.5, window=60.0, volume=8)


class BreakerMachine(RuleBasedStateMachine):
    passes: Bundle[Pass] = Bundle("passes")

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.told: list[Transition] = []
        self.breaker = Breaker(RULES, self.told.append)
        self.probes = 0
        self.failures_in_a_row = 0

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 10.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=passes)
    def ask(self) -> Pass:
        before = self.breaker.state
        opened = self.breaker.opened_at
        probing = self.breaker.probe_since
        passed = self.breaker.ask(self.now)
        if before is BreakerState.CLOSED:
            assert passed is Pass.THROUGH
        elif self.breaker.held is not None or (before is BreakerState.OPEN and self.now < opened + RULES.open_seconds):
            assert passed is Pass.REFUSED
        elif probing is not None and self.now < probing + RULES.open_seconds:
            assert passed is Pass.REFUSED, "one probe at a time"
        else:
            assert passed is Pass.PROBE
        return passed

    @rule(passed=passes)
    def succeed(self, passed: Pass) -> None:
        before = self.breaker.state
        self.breaker.succeeded(self.now, passed)
        if passed is Pass.REFUSED:
            assert self.breaker.state is before
        if before is BreakerState.OPEN:
            assert self.breaker.state is BreakerState.OPEN, "only a probe closes it"

    @rule(passed=passes)
    def fail(self, passed: Pass) -> None:
        before = self.breaker.state
        self.breaker.failed(self.now, passed, "status 500")
        if passed is Pass.REFUSED:
            assert self.breaker.state is before
        if before is BreakerState.CLOSED and passed is Pass.THROUGH and self.breaker.held is None:
            assert self.breaker.state is BreakerState.OPEN or self.breaker.consecutive < RULES.failures

    @rule(passed=passes)
    def leave(self, passed: Pass) -> None:
        before = (self.breaker.state, self.breaker.consecutive, self.breaker.counts(self.now))
        self.breaker.abandoned(passed)
        after = (self.breaker.state, self.breaker.consecutive, self.breaker.counts(self.now))
        assert before == after, "a client that leaves never counts"

    @rule(closed=st.booleans())
    def hold(self, closed: bool) -> None:
        if closed:
            self.breaker.hold_closed(self.now, "by hand")
        else:
            self.breaker.hold_open(self.now, "by hand")

    @rule()
    def reset(self) -> None:
        self.breaker.reset(self.now, "let go")
        assert self.breaker.ask(self.now) is Pass.THROUGH

    @rule(ago=st.sampled_from([None, 0.0, 5.0, 20.0]))
    def hear(self, ago: float | None) -> None:
        before = self.breaker.state
        self.breaker.adopt(self.now, None if ago is None else self.now - ago, "another process")
        if self.breaker.held is not None:
            assert self.breaker.state is before

    @invariant()
    def held_means_held(self) -> None:
        if self.breaker.held is not None:
            expected = BreakerState.OPEN if self.breaker.state is BreakerState.OPEN else BreakerState.CLOSED
            assert self.breaker.state is expected

    @invariant()
    def every_change_is_told_once(self) -> None:
        for before, after in zip(self.told, self.told[1:], strict=False):
            assert before.after is after.before
        if self.told:
            assert self.told[-1].after is self.breaker.state

    @invariant()
    def waiting_is_bounded(self) -> None:
        assert 1.0 <= self.breaker.retry_after(self.now) <= RULES.open_seconds + 1.0


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=60, stateful_step_count=40)


def drive(marks: str, breaker: Breaker, now: float = 0.0, step: float = 1.0) -> float:
    """`x` fails, `.` succeeds, `-` is time alone."""
    for mark in marks:
        now += step
        if mark != "-":
            passed = breaker.ask(now)
            if mark == "x":
                breaker.failed(now, passed, "status 503")
            else:
                breaker.succeeded(now, passed)
    return now


STATES = {
    "five in a row open": ("xxxxx", BreakerState.OPEN),
    "four do not": ("xxxx", BreakerState.CLOSED),
    "a success starts the count again": ("xxxx.xxxx", BreakerState.CLOSED),
    "half of twenty open": (".x" * 10, BreakerState.OPEN),
    "half of eighteen do not": (".x" * 9, BreakerState.CLOSED),
    "a third of many does not": ("x.." * 20, BreakerState.CLOSED),
    "a probe that fails opens again": ("xxxxx" + "-" * 30 + "x", BreakerState.OPEN),
    "one good probe leaves it half open": ("xxxxx" + "-" * 30 + ".", BreakerState.HALF_OPEN),
    "two close it": ("xxxxx" + "-" * 30 + "..", BreakerState.CLOSED),
}


@pytest.mark.parametrize(("marks", "state"), STATES.values(), ids=STATES)
def test_the_defaults(marks: str, state: BreakerState) -> None:
    breaker = Breaker(BreakerRules())
    drive(marks, breaker)
    assert breaker.state is state


def test_what_lies_outside_the_window_does_not_count() -> None:
    breaker = Breaker(BreakerRules())
    now = drive("x." * 9, breaker)
    drive("x.", breaker, now + 70)
    assert breaker.counts(now + 72) == (1, 1)
    assert breaker.state is BreakerState.CLOSED


def test_a_probe_that_never_reports_does_not_block_for_ever() -> None:
    breaker = Breaker(BreakerRules())
    now = drive("xxxxx", breaker) + 31
    assert breaker.ask(now) is Pass.PROBE
    assert breaker.ask(now + 5) is Pass.REFUSED
    assert breaker.ask(now + 31) is Pass.PROBE


def test_a_lost_probe_gives_way_at_once() -> None:
    breaker = Breaker(BreakerRules())
    now = drive("xxxxx", breaker) + 31
    assert breaker.ask(now) is Pass.PROBE
    breaker.abandoned(Pass.PROBE)
    assert breaker.ask(now) is Pass.PROBE
