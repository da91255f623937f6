"""Whether a request still fits into the memory there is."""

from __future__ import annotations

import resource
from types import SimpleNamespace

import psutil
import pytest

from gateway.api import memory as module
from gateway.api.memory import Bound, Memory, bounds_of

MIB = 1024 * 1024
LARGE = 10 * MIB


@pytest.fixture(autouse=True)
def _look_at_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)


def bounded(limit: int | None, used: int | None) -> Memory:
    return Memory([Bound("the test", lambda: limit, lambda: used)])


@pytest.mark.parametrize(
    ("limit", "used", "fits"),
    [
        (100 * MIB, 79 * MIB, True),
        (100 * MIB, 80 * MIB, False),
        (100 * MIB, 95 * MIB, False),
        (None, 95 * MIB, True),
        (100 * MIB, None, True),
    ],
)
def test_a_small_request_fits_below_four_fifths(limit: int | None, used: int | None, fits: bool) -> None:
    memory = bounded(limit, used)
    assert memory.fits() is fits
    assert (memory.problem is None) is fits


def test_the_nearest_bound_counts_and_is_named() -> None:
    memory = Memory(
        [
            Bound("far", lambda: 1000 * MIB, lambda: 10 * MIB),
            Bound("near", lambda: 100 * MIB, lambda: 90 * MIB),
        ]
    )
    assert memory.problem == "more than 80% of the memory near allows is in use"


def test_a_large_body_needs_room_for_the_copies_made_of_it() -> None:
    assert bounded(100 * MIB, 80 * MIB - 26 * MIB).fits(LARGE)
    assert not bounded(100 * MIB, 80 * MIB - 24 * MIB).fits(LARGE)


def test_bodies_that_have_not_come_yet_are_counted() -> None:
    memory = bounded(100 * MIB, 20 * MIB)
    first, second = memory.reserve(LARGE), memory.reserve(LARGE)
    assert not memory.fits(LARGE)
    assert memory.fits(), "a small one still does"
    first.arrived()
    second.release()
    assert memory.fits(LARGE)


def test_a_body_without_a_length_is_counted_as_it_comes() -> None:
    memory = bounded(100 * MIB, 20 * MIB)
    body = memory.reserve(0)
    assert body.grow(LARGE)
    assert body.grow(2 * LARGE)
    assert not body.grow(8 * LARGE)
    body.release()
    assert memory.fits(2 * LARGE)


def test_this_process_has_a_bound_and_stays_below_it() -> None:
    memory = Memory(bounds_of(0))
    assert memory.fits()
    assert Memory(bounds_of(1)).problem == "more than 80% of the memory TURNLOG_MAX_MEMORY_BYTES allows is in use"


def test_a_limit_of_the_address_space_is_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1, 1))
    assert "RLIMIT_AS" in str(Memory(bounds_of(0)).problem)


def test_what_requests_left_is_given_back_once_no_large_one_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIM_SECONDS", 0.0)
    monkeypatch.setattr(module, "TIDY_SECONDS", 0.0)
    memory = bounded(None, None)
    # Blocks below the size that has pages of its own, written to; every tenth stays, so that those between are no end
    # of the heap, which the allocator gives back by itself.
    blocks = [b"x" * (100_000 + number) for number in range(1000)]
    kept = blocks[::10]
    assert memory.fits()
    reservation = memory.reserve(LARGE)
    blocks.clear()
    before = resident()
    memory.tidy()
    assert resident() > before - 10 * MIB, "a large body is under way"
    reservation.release()
    memory.tidy()
    assert resident() < before - 40 * MIB
    assert len(kept) == 100


def test_memory_is_tidied_while_requests_come_and_once_more_when_they_have_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, tidied = [100.0], []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    memory = bounded(None, None)
    monkeypatch.setattr(module.ctypes, "CDLL", lambda _: SimpleNamespace(malloc_trim=lambda _: tidied.append(clock[0])))

    def at(second: float, *, comes: bool = False) -> None:
        clock[0] = second
        if comes:
            memory.fits()
        memory.tidy()

    at(100)
    assert tidied == [], "nobody has come yet"
    for second in range(101, 114):
        at(second, comes=second < 112)
    assert tidied == [101, 111]
    for second in range(114, 150):
        at(second)
    assert tidied == [101, 111, 117], "what the last ones used was not free yet at 111, and nobody waits for 121"
    for second in range(150, 170):
        clock[0] = second
        assert memory.problem is None
        memory.tidy()
    assert tidied == [101, 111, 117], "a probe uses nothing"


def resident() -> int:
    return psutil.Process().memory_info().rss
