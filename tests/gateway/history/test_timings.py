from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.history.timings import pack, unpack

chunks = st.lists(st.tuples(st.integers(0, 2**40), st.integers(0, 2**33)))


@given(chunks)
def test_packed_arrivals_come_back_counted_from_the_first(arrivals: list[tuple[int, int]]) -> None:
    arrivals.sort(key=lambda arrival: arrival[0])
    packed = pack([at for at, _ in arrivals], [size for _, size in arrivals])
    assert unpack(packed) == [(at - arrivals[0][0], size) for at, size in arrivals]


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_a_clock_that_steps_back_never_makes_a_negative_gap(times: list[int]) -> None:
    unpacked = [at for at, _ in unpack(pack(times, [1] * len(times)))]
    assert unpacked == sorted(unpacked)
    assert unpacked[-1] == max(times) - times[0]


def test_a_usual_chunk_takes_few_bytes() -> None:
    assert len(pack([1_000_000, 1_020_000], [140, 140])) == 1 + 2 + 3 + 2
