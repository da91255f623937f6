"""Counters alone and shared: together nobody spends more than there is, but for one request of each process."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.policy.pools import Pool, Share, grant

PROCESSES = 3
LARGEST = 2


class SharedPools(RuleBasedStateMachine):
    """Processes that admit, finish and tell at any moment; the whole is what Redis keeps."""

    unit = 0.0

    @initialize(capacity=st.integers(1, 60))
    def begin(self, capacity: int) -> None:
        self.capacity = float(capacity)
        self.pools = [Pool(self.capacity, unit=self.unit, share=Share(rest=self.capacity)) for _ in range(PROCESSES)]
        self.running: list[list[float]] = [[] for _ in range(PROCESSES)]
        self.spent = 0.0
        self.used = 0.0
        self.told = [0.0] * PROCESSES
        self.answers: dict[int, tuple[float, float, float, float]] = {}
        """On their way back to a process."""
        self.granted = [0.0] * PROCESSES

    @rule(process=st.integers(0, PROCESSES - 1), amount=st.integers(1, LARGEST), times=st.integers(1, 30))
    def ask(self, process: int, amount: int, times: int) -> None:
        pool = self.pools[process]
        size = self.unit or float(amount)
        for _ in range(times):
            if pool.fits(0.0):
                pool.hold(size)
                self.running[process].append(size)

    @precondition(lambda self: any(self.running))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from([n for n, running in enumerate(self.running) if running]))
        held = self.running[process].pop()
        share = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
        self.pools[process].settle(held, held * share)
        self.spent += held * share

    @rule(process=st.integers(0, PROCESSES - 1))
    def begin_telling(self, process: int) -> None:
        pool = self.pools[process]
        assert pool.share is not None
        if process not in self.answers:
            total, kept = pool.share.total, pool.commit()
            self.answers[process] = (total, self.used_by(process, total), *self.grant_to(process, kept))

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def end_telling(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(sorted(self.answers)))
        total, used, granted, rest = self.answers.pop(process)
        self.pools[process].told(total, used, Share(granted, rest))

    def used_by(self, process: int, total: float) -> float:
        self.used += total - self.told[process]
        self.told[process] = total
        return self.used

    def grant_to(self, process: int, kept: float) -> tuple[float, float]:
        others = sum(self.granted) - self.granted[process]
        known = [granted for granted in self.granted if granted]
        granted, rest = grant(self.capacity, self.used, others, kept, self.unit, max(1, len(known)))
        self.granted[process] = granted
        return granted, rest

    @invariant()
    def nobody_overspends(self) -> None:
        if hasattr(self, "pools"):
            promised = self.spent + sum(map(sum, self.running))
            assert promised <= self.capacity + PROCESSES * (self.unit or LARGEST)


class SharedPlaces(SharedPools):
    unit = 1.0


TestSharedPools = SharedPools.TestCase
TestSharedPlaces = SharedPlaces.TestCase
TestSharedPools.settings = TestSharedPlaces.settings = settings(max_examples=200, stateful_step_count=60)


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), max_size=60), st.integers(1, 200))
def test_alone_a_budget_is_overspent_by_one_request_at_most(requests: list[tuple[int, float]], capacity: int) -> None:
    pool = Pool(float(capacity))
    spent, largest = 0.0, 0.0
    for amount, share in requests:
        if pool.fits(0.0):
            pool.hold(amount)
            pool.settle(amount, amount * share)
            spent, largest = spent + amount * share, max(largest, amount)
    assert spent <= capacity + largest


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_a_rate_lets_through_its_burst_and_what_leaks(gaps: list[float]) -> None:
    pool = Pool(10.0, leak=2.0, unit=1.0)
    now, taken = 0.0, 0
    for gap in gaps:
        now += gap
        if pool.fits(now):
            pool.take(1.0)
            taken += 1
        assert taken <= 10 + 2 * now + 1e-6


def test_a_rate_says_when_it_has_room_again() -> None:
    pool = Pool(2.0, leak=0.5, unit=1.0)
    for _ in range(2):
        assert pool.fits(0.0)
        pool.take(1.0)
    assert not pool.fits(0.0)
    assert pool.wait() == pytest.approx(2.0)
    assert not pool.fits(1.9)
    assert pool.fits(2.0)


def test_what_is_held_is_no_room_and_what_was_not_used_is_given_back() -> None:
    pool = Pool(10.0)
    pool.hold(12.0)
    assert not pool.fits(0.0)
    assert not pool.is_used_up
    pool.settle(12.0, 3.0)
    assert pool.fits(0.0)
    pool.take(7.0)
    assert pool.is_used_up


def test_a_total_told_twice_counts_once() -> None:
    pool = Pool(10.0, share=Share(rest=10.0))
    pool.take(4.0)
    assert pool.share is not None
    total = pool.share.total
    pool.take(1.0)
    pool.told(total, 4.0, Share(3.0, 3.0))
    assert (pool.used, pool.share.untold) == (5.0, 1.0)
    assert pool.share.granted == 3.0


def shared(capacity: float, granted: float, unit: float = 0.0) -> Pool:
    return Pool(capacity, unit=unit, share=Share(granted=granted))


def test_asking_for_more_keeps_what_is_held_and_half_of_the_room() -> None:
    pool = shared(100.0, 40.0)
    pool.hold(10.0)
    assert pool.commit() == 25.0
    assert pool.share is not None
    assert pool.share.granted == 25.0
    # Asked again before the answer is here: nothing more is given up, or a slow answer would take it all.
    assert pool.commit() == 25.0


def test_places_are_given_up_whole() -> None:
    pool = shared(10.0, 6.0, unit=1.0)
    pool.hold(1.0)
    assert pool.commit() == 1.0 + 2.0


def test_asking_for_more_never_grants_anything() -> None:
    """A request that went out on credit is not covered by a grant, and asking must not make one of it."""
    pool = shared(100.0, 5.0)
    pool.hold(30.0)
    assert pool.commit() == 30.0
    assert pool.share is not None
    assert pool.share.granted == 5.0
    pool.settle(30.0, 20.0)
    pool.commit()
    assert pool.share.granted == 5.0


@given(
    st.floats(0, 100), st.lists(st.tuples(st.floats(0, 30), st.booleans(), st.booleans()), max_size=20), st.booleans()
)
def test_a_grant_only_shrinks_by_asking(granted: float, steps: list[tuple[float, bool, bool]], whole: bool) -> None:
    pool = shared(100.0, granted, unit=1.0 if whole else 0.0)
    assert pool.share is not None
    for amount, settles, asks in steps:
        pool.hold(amount)
        if settles:
            pool.settle(amount, amount)
        before = pool.share.granted
        if asks:
            kept = pool.commit()
            assert kept >= pool.held
        assert pool.share.granted <= before
