"""A frame that does not fit is taken back whole, and the file goes on behind the last one that did."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.recording.segment_file import SegmentFile


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes: the kernel writes what fits and refuses the rest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SegmentFile]:
    file = SegmentFile(tmp_path / "000001.frames")
    yield file
    file.close()


def test_one_frame_that_does_not_fit_leaves_no_trace(file: SegmentFile) -> None:
    file.append(b"a" * 60)
    with room_for(100), pytest.raises(OSError, match="too large"):
        file.append(b"b" * 60)
    file.append(b"c" * 60)
    assert file.path.read_bytes() == b"a" * 60 + b"c" * 60


@pytest.mark.parametrize("room", range(0, 101, 5))
def test_of_several_frames_those_that_fit_whole_stay(file: SegmentFile, room: int) -> None:
    frames = [[b"a" * 10, b"a" * 10], [b"b" * 30], [b"", b"c" * 40, b"c" * 10]]
    with room_for(room):
        whole, error = file.append_frames(frames)
    assert whole == (0 if room < 20 else 1 if room < 50 else 2 if room < 100 else 3)
    assert (error is None) == (whole == 3)
    file.append(b"next")
    assert file.path.read_bytes() == b"".join(b"".join(frame) for frame in frames[:whole]) + b"next"


def test_more_buffers_than_one_call_takes_are_all_written(file: SegmentFile) -> None:
    assert file.append_frames([[b"%04d" % number] for number in range(2000)]) == (2000, None)
    assert file.path.read_bytes() == b"".join(b"%04d" % number for number in range(2000))
