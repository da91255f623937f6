"""Where the time went, and who was waited for."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.history.time_spent import Owner, Stall, time_spent
from gateway.history.timings import pack_held, unpack_held

SECOND = 1_000_000


def attempt(at_us: int = 400, connected_us: int | None = 30_400) -> dict[str, Any]:
    return {"at_us": at_us, "connected_us": connected_us}


def test_the_parts_of_a_plain_stream() -> None:
    spent = time_spent([1_030_400, 2_030_400, 3_030_400], [], [attempt()], 100)
    assert (spent.queued_ms, spent.retried_ms, spent.connecting_ms) == (0.4, 0.0, 30.0)
    assert (spent.waiting_ms, spent.streaming_ms, spent.tokens_per_second) == (1_000.0, 2_000.0, 50.0)
    assert spent.stalls == ()


STALLS: dict[str, tuple[list[int], list[tuple[int, int]], list[dict[str, Any]], list[tuple[Owner, float]]]] = {
    "the provider was silent": ([SECOND, 6 * SECOND], [], [attempt()], [(Owner.UPSTREAM, 5_000.0)]),
    "the client took the chunk before only late": (
        [SECOND, 6 * SECOND],
        [(SECOND, 4_900_000)],
        [attempt()],
        [(Owner.CLIENT, 4_900.0)],
    ),
    "first the client, then the provider": (
        [SECOND, 8 * SECOND],
        [(SECOND, 3 * SECOND)],
        [attempt()],
        [(Owner.CLIENT, 3_000.0), (Owner.UPSTREAM, 4_000.0)],
    ),
    "the client did not take the last chunk": (
        [SECOND],
        [(SECOND, 9 * SECOND)],
        [attempt()],
        [(Owner.CLIENT, 9_000.0)],
    ),
    "the gateway let it wait": ([9 * SECOND], [], [attempt(3 * SECOND, None)], [(Owner.GATEWAY, 3_000.0)]),
    "two seconds are no stall": ([SECOND, 3 * SECOND], [(SECOND, SECOND)], [attempt(2 * SECOND)], []),
}


@pytest.mark.parametrize(("arrivals", "held", "attempts", "expected"), STALLS.values(), ids=STALLS)
def test_stalls_have_an_owner(arrivals: Any, held: Any, attempts: Any, expected: Any) -> None:
    stalls = time_spent(arrivals, held, attempts, None).stalls
    assert [(stall.owner, stall.length_ms) for stall in stalls] == expected


def test_time_on_failed_calls_is_told_apart() -> None:
    spent = time_spent([9 * SECOND], [], [attempt(0), attempt(5 * SECOND, 5 * SECOND + 1_000)], None)
    assert (spent.retried_ms, spent.connecting_ms, spent.waiting_ms) == (5_000.0, 1.0, 3_999.0)


def test_nothing_known_is_nothing_said() -> None:
    assert time_spent([], [], [], None) == time_spent([], [], [], 5)
    assert time_spent([], [], [], None).waiting_ms is None


@given(st.lists(st.integers(1, 10 * SECOND), max_size=20), st.data())
def test_stalls_never_overlap_nor_outlast_the_stream(gaps: list[int], data: st.DataObject) -> None:
    arrivals = [sum(gaps[:number]) for number in range(1, len(gaps) + 1)]
    held = [(at, data.draw(st.integers(0, 12 * SECOND))) for at in arrivals[:-1]]
    stalls: list[Stall] = sorted(time_spent(arrivals, held, [attempt()], None).stalls, key=lambda stall: stall.at_ms)
    for one, other in pairwise(stalls):
        assert one.at_ms + one.length_ms <= other.at_ms + 1e-6
    assert sum(stall.length_ms for stall in stalls) <= sum(gaps) / 1_000 + 1e-6


@given(st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**40))))
def test_what_was_held_packs_and_unpacks(held: list[tuple[int, int]]) -> None:
    assert unpack_held(pack_held(held)) == held
