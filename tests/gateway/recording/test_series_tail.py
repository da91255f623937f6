"""Reading a series: each exchange is handed on once, whole and in order, wherever its frames lie and whoever reads."""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.names import Outcome
from gateway.recording import segment_tail
from gateway.recording.frames import Kind, checksum_seed, encode_head
from gateway.recording.open_files import OpenFiles
from gateway.recording.quarantine import Quarantine, count_quarantined
from gateway.recording.records import End, Progress
from gateway.recording.segment_file import SegmentFile
from gateway.recording.series import create_series, frames_path, stubs_path
from gateway.recording.series_tail import SeriesTail

encode = msgspec.msgpack.Encoder().encode
END = encode(Progress(end=End(at_us=1, outcome=Outcome.COMPLETED)))
MORE = encode(Progress())


@dataclass
class Writer:
    """A series as a `web` process writes it, one step at a time."""

    directory: Path
    number: int = 0
    files: list[SegmentFile] = field(default_factory=list)

    def rotate(self) -> None:
        self.number += 1
        for file in self.files:
            file.close()
        self.files = [SegmentFile(path(self.directory, self.number)) for path in (stubs_path, frames_path)]

    def stub(self, id: bytes) -> None:
        self.files[0].append(encode_head(Kind.ADMISSION, id, b"\x80", (), self.seed))

    def frame(self, id: bytes, meta: bytes, blob: bytes) -> None:
        self.files[1].append(encode_head(Kind.PROGRESS, id, meta, (blob,), self.seed) + blob)

    @property
    def seed(self) -> int:
        return checksum_seed(self.directory.name)


@given(
    sizes=st.lists(st.lists(st.integers(0, 3000), min_size=1, max_size=5), min_size=1, max_size=6),
    steps=st.randoms(use_true_random=False),
    reads=st.sampled_from(("as it is written", "from the middle", "when all is written")),
)
@settings(max_examples=60)
def test_an_exchange_across_segments_is_handed_on_once_in_order(
    sizes: list[list[int]], steps: random.Random, reads: str
) -> None:
    with tempfile.TemporaryDirectory() as name, small_reads(800):
        spool_dir = Path(name)
        directory, _lock = create_series(spool_dir)
        writer, files = Writer(directory), OpenFiles()
        writer.rotate()
        tail = SeriesTail(directory, files, Quarantine(spool_dir, files))
        over = []
        waiting = {bytes([number]) * 16: list(parts) for number, parts in enumerate(sizes, 1)}
        for id in waiting:
            writer.stub(id)
        total = sum(map(len, sizes))
        for step in range(total):
            id = steps.choice([id for id, parts in waiting.items() if parts])
            size = waiting[id].pop(0)
            writer.frame(id, MORE if waiting[id] else END, bytes(size))
            if steps.random() < 0.3:
                writer.rotate()
            if reads == "as it is written" or (reads == "from the middle" and step > total / 2):
                over += tail.poll()
        while len(over) < len(sizes):
            found = tail.poll()
            assert found or any(not segment.done for segment in tail.segments.values())
            over += found
        assert count_quarantined(spool_dir) == 0
        assert sorted(tracked.exchange_id for tracked in over) == sorted(waiting)
        for tracked in over:
            places = [(extent.number, extent.start) for extent in tracked.frames]
            assert places == sorted(places)
            assert len(places) == len(sizes[tracked.exchange_id[0] - 1])
        files.close()


class small_reads:
    """So many bytes at a time instead of megabytes."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.usual, segment_tail.READ_BYTES = segment_tail.READ_BYTES, self.size

    def __exit__(self, *_: object) -> None:
        segment_tail.READ_BYTES = self.usual
