"""The queue before a provider as a state machine: nobody is lost, nothing is exceeded, keys take turns."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.policy.waiting import Entry, QueueRules, WaitingRoom, WhenFull


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.room = WaitingRoom(QueueRules(places=4, size=6))
        self.running: dict[int, bool] = {}
        self.waiting: dict[int, tuple[str, int, bool]] = {}
        self.number = 0

    @rule(key=st.sampled_from("abc"), priority=st.integers(-1, 1), is_long=st.booleans())
    def enter(self, key: str, priority: int, is_long: bool) -> None:
        self.number += 1
        before = len(self.waiting)
        entry = self.room.enter(self.number, key, priority, is_long=is_long)
        if entry is Entry.STARTED:
            self.running[self.number] = is_long
        elif entry is Entry.WAITING:
            self.waiting[self.number] = (key, priority, is_long)
        else:
            assert before >= self.room.rules.size

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.running)))
        self._start(self.room.leave(is_long=self.running.pop(number)))

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.waiting)))
        self.room.give_up(number, is_long=self.waiting.pop(number)[2])

    @rule(places=st.integers(1, 6))
    def resize(self, places: int) -> None:
        self._start(self.room.resize(QueueRules(places=places, size=6)))

    def _start(self, numbers: list[int]) -> None:
        for number in numbers:
            _, priority, is_long = self.waiting.pop(number)
            better = [p for _, p, long in self.waiting.values() if p > priority and (not long or is_long)]
            assert not better, "the higher priority goes first"
            self.running[number] = is_long

    @invariant()
    def counts_are_true(self) -> None:
        assert self.room.running == len(self.running)
        assert self.room.long_running == sum(self.running.values())
        assert self.room.waiting == len(self.waiting)

    @invariant()
    def nobody_waits_beside_a_free_place(self) -> None:
        if self.room.running < self.room.rules.places:
            assert all(is_long for _, _, is_long in self.waiting.values())
            if self.waiting:
                assert self.room.long_running >= self.room.long_places


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=80, stateful_step_count=50)


def test_keys_take_turns() -> None:
    room = WaitingRoom(QueueRules(places=1))
    room.enter(0, "greedy", 0, is_long=False)
    for number in range(1, 6):
        room.enter(number, "greedy", 0, is_long=False)
    room.enter(6, "modest", 0, is_long=False)
    started = [room.leave(is_long=False)[0] for _ in range(3)]
    assert started == [1, 6, 2]


def test_long_requests_leave_a_place_to_short_ones() -> None:
    room = WaitingRoom(QueueRules(places=4))
    entries = [room.enter(number, "k", 0, is_long=True) for number in range(4)]
    assert entries == [Entry.STARTED] * 3 + [Entry.WAITING]
    assert room.enter(9, "k", 0, is_long=False) is Entry.STARTED


def test_one_who_may_wait_in_any_case_is_never_told_that_it_is_full() -> None:
    room = WaitingRoom(QueueRules(places=1, size=0, when_full=WhenFull.WAIT))
    assert [room.enter(number, "k", 0, is_long=False) for number in range(3)][1:] == [Entry.WAITING] * 2
