"""A disk that is full of the segment being written: its exchanges can end and it can be emptied all the same."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.dialects.names import Outcome
from gateway.recording.reserve import FILE_NAME, RESERVE_BYTES, Reserve
from gateway.recording.series import list_segments, list_series
from tests.gateway.recording.recording import admission, eventually, make_recorder, new_id
from tests.gateway.recording.test_recorder import read_spool

LIMIT = 50_000


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """What this process writes meets a full disk beyond that size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_reserve_takes_its_room_and_gives_it_back(tmp_path: Path) -> None:
    reserve = Reserve()
    reserve.spend()
    reserve.keep(tmp_path)
    assert reserve.is_kept
    assert (tmp_path / FILE_NAME).stat().st_size == RESERVE_BYTES
    reserve.keep(tmp_path)
    reserve.spend()
    assert not reserve.is_kept
    assert list(tmp_path.iterdir()) == []


def test_without_room_nothing_is_left_behind(tmp_path: Path) -> None:
    reserve = Reserve()
    with files_no_larger_than(LIMIT):
        # The first write is cut short, which is not an error yet; the one after it is.
        reserve.keep(tmp_path)
    assert not reserve.is_kept
    assert list(tmp_path.iterdir()) == []


async def test_exchanges_caught_by_a_full_disk_end_in_the_next_segment(spool_dir: Path) -> None:
    recorder = make_recorder(spool_dir)
    await recorder.start()
    with files_no_larger_than(LIMIT):
        exchange = recorder.admit(new_id(), admission())
        for _ in range(10):
            exchange.chunk(bytes(10_000))
        recorder.flush()
        await eventually(lambda: recorder.spool.refusal == "disk_full")
        exchange.finish(Outcome.COMPLETED)
        series = list_series(spool_dir)[0]
        await eventually(lambda: len(list_segments(series)) > 1)
        await eventually(lambda: not recorder.spool._waiting)
        assert recorder.spool.refusal == "disk_full"
        [recorded] = read_spool(spool_dir).values()
        assert (recorded.end.outcome, recorded.end.capture) == ("completed", "lost_disk")
    await eventually(recorder.ready)
    await recorder.stop()


def test_other_troubles_are_raised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        Reserve().keep(tmp_path / "nowhere")
    assert caught.value.errno == errno.ENOENT
