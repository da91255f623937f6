"""What is kept of an exchange's bytes is always a beginning without a hole, and its end names the loss."""

from __future__ import annotations

import pytest

from gateway.recording.delta import Delta
from gateway.recording.records import End


class Owner:
    def __init__(self, lost: str | None) -> None:
        self.id = b"i" * 16
        self.lost = lost
        self.withheld = None


def delta_of(owner: Owner) -> Delta:
    delta = Delta(owner)
    delta.chunks, delta.times, delta.size = [b"later"], [1], 5
    delta.end = End(2, "completed")
    return delta


@pytest.mark.parametrize("lost", ["lost_disk", "recorder_fault"])
def test_bytes_behind_lost_ones_are_not_kept(lost: str) -> None:
    delta = delta_of(Owner(lost))
    delta.settle()
    assert (delta.chunks, delta.times) == ([], [])
    assert delta.end == End(2, "completed", capture=lost)


def test_bytes_before_lost_ones_are_kept() -> None:
    """The backlog's bound is noticed on the event loop: what was taken before it is whole."""
    delta = delta_of(Owner("lost_backlog"))
    delta.settle()
    assert delta.chunks == [b"later"]
    assert delta.end == End(2, "completed", capture="lost_backlog")


def test_nothing_is_lost_in_a_whole_exchange() -> None:
    owner = Owner(None)
    delta = delta_of(owner)
    delta.settle()
    assert (delta.chunks, delta.end, owner.lost) == ([b"later"], End(2, "completed"), None)


def test_giving_up_bytes_names_the_first_reason_and_keeps_the_end() -> None:
    owner = Owner(None)
    delta = delta_of(owner)
    delta.give_up("lost_disk")
    delta.give_up("recorder_fault")
    delta.settle()
    assert owner.lost == "lost_disk"
    assert delta.end == End(2, "completed", capture="lost_disk")
    assert not delta.is_empty()
