"""A trace is whole or absent: whoever decides by its id, or by its client's word, decides the same."""

from __future__ import annotations

import uuid_utils
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.trace_sampling import is_traced

trace_ids = st.integers(min_value=1, max_value=2**128 - 1).map(lambda number: f"{number:032x}")
shares = st.floats(min_value=0, max_value=1)


@given(trace_ids, st.booleans(), shares)
def test_the_client_s_word_counts(trace_id: str, said: bool, share: float) -> None:
    assert is_traced(trace_id, said, share) is said


@given(trace_ids, shares, shares)
def test_a_larger_share_holds_all_of_a_smaller_one(trace_id: str, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert is_traced(trace_id, None, less) <= is_traced(trace_id, None, more)


@given(trace_ids)
def test_all_and_none(trace_id: str) -> None:
    assert is_traced(trace_id, None, 1.0)
    assert not is_traced(trace_id, None, 0.0)


def test_of_requests_without_a_trace_the_share_is_traced() -> None:
    ids = [uuid_utils.uuid7().hex for _ in range(20_000)]
    traced = sum(is_traced(each, None, 0.25) for each in ids)
    # 25 standard deviations of 61 wide: it is a matter of the bits that are looked at, not of luck.
    assert 5_000 - 1_530 < traced < 5_000 + 1_530
