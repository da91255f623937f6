"""The strip that shows when an answer's chunks arrived."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dashboard.queries.timeline import HEIGHT, ROWS_SHOWN, SLOTS, WIDTH, draw_timeline


def test_no_chunks_no_strip() -> None:
    assert draw_timeline([], 100.0) is None


def test_a_gap_of_more_than_two_seconds_is_a_stall() -> None:
    timeline = draw_timeline([(500.0, 10), (1_000.0, 10), (4_000.0, 10)], 5_000.0)
    assert timeline is not None
    assert [(stall.from_ms, stall.length_ms, stall.x, stall.width) for stall in timeline.stalls] == [
        (1_000.0, 3_000.0, 200.0, 600.0)
    ]
    assert [row.after_stall for row in timeline.rows] == [False, False, True]
    assert timeline.waiting == 100.0
    assert timeline.longest_gap_ms == 3_000.0


def test_exactly_two_seconds_is_none() -> None:
    timeline = draw_timeline([(0.0, 1), (2_000.0, 1)], None)
    assert timeline is not None
    assert timeline.stalls == ()


def test_a_long_table_keeps_both_ends_and_what_came_after_stalls() -> None:
    chunks = (
        [(float(index), 5) for index in range(5_000)]
        + [(9_000.0, 5)]
        + [(9_001.0 + index, 5) for index in range(5_000)]
    )
    timeline = draw_timeline(chunks, None)
    assert timeline is not None
    assert len(timeline.rows) <= ROWS_SHOWN
    assert timeline.rows[0].index == 0
    assert timeline.rows[-1].index == 10_000
    assert [row.index for row in timeline.rows if row.after_stall] == [5_000]
    assert timeline.left_out == 10_001 - len(timeline.rows)


@given(
    st.lists(st.tuples(st.floats(0, 1e7), st.integers(0, 10**9)), min_size=1, max_size=400),
    st.none() | st.floats(0, 1e7),
)
def test_every_shape_lies_on_the_strip(chunks: list[tuple[float, int]], duration: float | None) -> None:
    timeline = draw_timeline(sorted(chunks), duration)
    assert timeline is not None
    assert len(timeline.bars) <= SLOTS
    for bar in timeline.bars:
        assert 0 <= bar.x <= WIDTH
        assert 0 <= bar.y <= bar.y + bar.height <= HEIGHT + 1e-6
    for stall in timeline.stalls:
        assert 0 <= stall.x <= stall.x + stall.width <= WIDTH * (1 + 1e-9)
