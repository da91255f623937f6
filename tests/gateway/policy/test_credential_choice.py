"""Which credential is used: properties over any order of events, and the tables of the fine points."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.policy.credential_choice import CredentialChoice, CredentialEntry
from gateway.policy.failure_kinds import allows, kind_of_failure, retry_after
from gateway.policy.retries import Backoff, RetryBudget, RetryRules, pause

ENTRIES = (CredentialEntry("a", "A", 3), CredentialEntry("b", "B", 5), CredentialEntry("c", "C"))


class ChoiceMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.choice = CredentialChoice()
        self.held: list[str] = []
        self.used: list[tuple[str, float]] = []
        self.rests: dict[str, float] = {}
        self.rejected: set[str] = set()

    @rule(seconds=st.floats(0, 90))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(conversation=st.sampled_from(["", "x", "y"]))
    def take(self, conversation: str) -> None:
        taken = self.choice.take(ENTRIES, self.now, conversation)
        if taken is None:
            return
        assert self.rests.get(taken.name, 0.0) <= self.now, "one that rests is not used"
        assert taken.name not in self.rejected
        recent = [name for name, at in self.used if at > self.now - 60 and name == taken.name]
        assert taken.per_minute is None or len(recent) < taken.per_minute, "never more than its minute allows"
        self.used.append((taken.name, self.now))
        self.held.append(taken.name)

    @rule(seconds=st.one_of(st.none(), st.floats(0, 300)))
    def limited(self, seconds: float | None) -> None:
        if self.held:
            name = self.held[-1]
            before = self.rests.get(name, 0.0)
            self.rests[name] = self.choice.limited(name, self.now, seconds)
            assert self.rests[name] >= before, "never shorter than it was"

    @rule(status=st.sampled_from([401, 403]))
    def refused(self, status: int) -> None:
        if self.held and self.choice.refused(self.held[-1], status):
            self.rejected.add(self.held[-1])

    @rule()
    def unblock(self) -> None:
        if self.rejected:
            name = self.rejected.pop()
            in_flight = self.choice.health(name).in_flight
            self.choice.forget(name)
            assert self.choice.health(name).in_flight == in_flight, "what is under way still counts"
            self.rests.pop(name, None)
            self.used = [(used, at) for used, at in self.used if used != name]

    @rule()
    def give_back(self) -> None:
        if self.held:
            self.choice.give_back(self.held.pop())

    @invariant()
    def in_flight_is_true(self) -> None:
        for entry in ENTRIES:
            assert self.choice.health(entry.name).in_flight == self.held.count(entry.name)

    @invariant()
    def the_wait_is_no_lie(self) -> None:
        wait = self.choice.wait(ENTRIES, self.now)
        usable = [entry for entry in ENTRIES if self.choice.usable(entry, self.now)]
        assert (wait == 0.0) == bool(usable)


TestChoice = ChoiceMachine.TestCase
TestChoice.settings = settings(max_examples=60, stateful_step_count=40)


def test_most_left_then_fewest_in_flight() -> None:
    choice = CredentialChoice()
    entries = (CredentialEntry("a", "A", 2), CredentialEntry("b", "B", 3))
    taken = [choice.take(entries, 0.0) for _ in range(6)]
    assert [entry.name if entry else None for entry in taken] == ["b", "a", "b", "a", "b", None]
    unbounded = (CredentialEntry("x", "X"), CredentialEntry("y", "Y"))
    assert [choice.take(unbounded, 0.0).name for _ in range(4)] == ["x", "y", "x", "y"]  # type: ignore[union-attr]


def test_a_conversation_stays_and_moves_when_it_must() -> None:
    choice = CredentialChoice()
    entries = (CredentialEntry("x", "X"), CredentialEntry("y", "Y"))
    first = choice.take(entries, 0.0, "talk")
    assert first is not None
    assert all(choice.take(entries, 1.0, "talk") == first for _ in range(5))
    choice.limited(first.name, 2.0, 30)
    other = choice.take(entries, 3.0, "talk")
    assert other is not None
    assert other != first
    assert choice.take(entries, 40.0, "talk") == other, "it does not move back"


def test_a_credential_that_is_alone_does_not_rest_but_a_rejected_one_is_not_used() -> None:
    choice = CredentialChoice()
    alone = (CredentialEntry("x", "X"),)
    choice.limited("x", 0.0, 60)
    assert choice.take(alone, 1.0) is not None
    assert choice.refused("x", 401)
    assert choice.take(alone, 2.0) is None
    assert choice.wait(alone, 2.0) is None


def test_three_times_403_reject_and_a_success_between_does_not() -> None:
    choice = CredentialChoice()
    assert [choice.refused("x", 403) for _ in range(2)] == [False, False]
    choice.succeeded("x")
    assert [choice.refused("x", 403) for _ in range(3)] == [False, False, True]


def test_a_blocked_one_is_used_again_when_its_time_has_come() -> None:
    choice = CredentialChoice()
    entries = (CredentialEntry("x", "X", blocked_until=50.0), CredentialEntry("y", "Y", blocked_until=float("inf")))
    assert choice.take(entries, 0.0) is None
    assert choice.wait(entries, 10.0) == 40.0
    assert choice.take(entries, 51.0) == entries[0]


RETRY_AFTER = {
    "seconds": (b"7", 7.0),
    "a fraction": (b"0.5", 0.5),
    "a date": (b"Thu, 01 Jan 1970 00:17:10 GMT", 30.0),
    "a date gone by": (b"Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    "nonsense": (b"soon", None),
    "below zero": (b"-5", 0.0),
}


@pytest.mark.parametrize(("value", "seconds"), RETRY_AFTER.values(), ids=RETRY_AFTER)
def test_retry_after_is_read(value: bytes, seconds: float | None) -> None:
    assert retry_after([(b"x", b"1"), (b"Retry-After", value)], 1000.0) == seconds
    assert retry_after([], 1000.0) is None


@given(st.binary(max_size=60))
def test_no_retry_after_is_too_odd(value: bytes) -> None:
    found = retry_after([(b"retry-after", value)], 1000.0)
    assert found is None or found >= 0 or found != found


@given(st.sampled_from(Backoff), st.integers(1, 200), st.floats(0, 100), st.floats(0, 0.999))
def test_a_pause_is_within_its_bounds(backoff: Backoff, number: int, previous: float, chance: float) -> None:
    rules = RetryRules(backoff=backoff, base=0.5, longest=8.0)
    assert 0.5 <= pause(rules, number, previous, chance) <= 8.0


PAUSES = {
    Backoff.EXPONENTIAL: [1, 2, 4, 8, 16],
    Backoff.LINEAR: [1, 2, 3, 4, 5],
    Backoff.FIBONACCI: [1, 1, 2, 3, 5],
}


@pytest.mark.parametrize(("backoff", "expected"), PAUSES.items())
def test_pauses_grow_as_they_are_named(backoff: Backoff, expected: list[float]) -> None:
    rules = RetryRules(backoff=backoff, base=1.0, longest=1000.0)
    assert [pause(rules, number, 0.0, 0.5) for number in range(1, 6)] == expected


def test_decorrelated_pauses_lie_between_the_base_and_three_times_the_last() -> None:
    rules = RetryRules(base=1.0, longest=1000.0)
    assert pause(rules, 1, 0.0, 0.0) == 1.0
    assert pause(rules, 2, 4.0, 0.5) == 6.5


def test_retries_are_a_share_of_what_is_sent() -> None:
    budget = RetryBudget()
    taken = 0
    for _ in range(1000):
        budget.sent(0.1)
        taken += budget.take()
    assert 100 <= taken <= 111


KINDS = {
    "a status": ({"529"}, "529", True),
    "another status": ({"529"}, "503", False),
    "a class": ({"5xx"}, "503", True),
    "another class": ({"5xx"}, "429", False),
    "a word": ({"connect"}, "connect", True),
    "a word is no class": ({"5xx"}, "timeout", False),
}


@pytest.mark.parametrize(("kinds", "kind", "expected"), KINDS.values(), ids=KINDS)
def test_rules_name_failures(kinds: set[str], kind: str, expected: bool) -> None:
    assert allows(kinds, kind) is expected


def test_a_failure_has_one_word() -> None:
    assert kind_of_failure("connect", timed_out=True) == "connect"
    assert kind_of_failure("headers", timed_out=True) == "timeout"
    assert kind_of_failure("headers", timed_out=False) == "broken"
