"""What two states cost is compared between neighbouring turns, and only while both did something."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.turns import Turn, compare_turns, read_turns


def block(first_us: int, second_us: int, requests: int = 100) -> list[Turn]:
    return [Turn(state, (first_us, second_us)[state] * requests * 1000, requests, 0) for state in (0, 1, 1, 0)]


def test_a_machine_that_slows_down_changes_no_ratio() -> None:
    found = compare_turns([*block(100, 110), *block(200, 220), *block(400, 440)])
    assert found.ratios == pytest.approx([1.1, 1.1, 1.1])
    assert found.costs == pytest.approx((200.0, 220.0))


def test_blocks_in_which_the_load_began_or_stood_still_are_left_out() -> None:
    began = [*block(100, 500)[:3], Turn(0, 1000, 2, 0)]
    found = compare_turns([*began, *block(100, 110), *block(100, 500, requests=0), *block(100, 110), *block(1, 9)[:3]])
    assert found.ratios == pytest.approx([1.1, 1.1])


def test_too_few_turns_are_no_comparison() -> None:
    with pytest.raises(ValueError, match="too few"):
        compare_turns(block(100, 110))


def test_turns_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "turns"
    assert read_turns(path) == []
    path.write_text("0 5 6 7\n1 8 9 10\n")
    assert read_turns(path) == [Turn(0, 5, 6, 7), Turn(1, 8, 9, 10)]
