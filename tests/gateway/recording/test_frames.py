"""Whatever happens to a segment's bytes, every intact frame is found, and nothing that was not written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.recording.frames import Damage, Frame, Kind, checksum_seed, encode_head, salvage, walk

SEED = checksum_seed("0190e1c29a617a31b7a20f9a3e1b5c77")
frame_lists = st.lists(
    st.tuples(
        st.sampled_from(Kind), st.binary(min_size=16, max_size=16), st.binary(max_size=80), st.binary(max_size=200)
    ),
    max_size=8,
)


def write(frames: list[tuple[Kind, bytes, bytes, bytes]], seed: int = SEED) -> bytes:
    return b"".join(encode_head(kind, id, meta, (blob,), seed) + blob for kind, id, meta, blob in frames)


def read(data: bytes, found: Frame) -> tuple[int, bytes, bytes, bytes]:
    return found.kind, found.exchange_id, data[found.meta_start : found.blob_start], data[found.blob_start : found.end]


def kept(data: bytes) -> list[tuple[int, bytes, bytes, bytes]]:
    return [read(data, item) for item in salvage(data, SEED) if isinstance(item, Frame)]


@given(frame_lists)
def test_what_is_written_is_read(frames: list[tuple[Kind, bytes, bytes, bytes]]) -> None:
    data = write(frames)
    assert [read(data, found) for found in walk(data, SEED)] == frames
    assert [item for item in salvage(data, SEED) if isinstance(item, Damage)] == []


@given(frame_lists, st.data())
def test_a_segment_torn_anywhere_keeps_every_whole_frame(
    frames: list[tuple[Kind, bytes, bytes, bytes]], draw: st.DataObject
) -> None:
    data = write(frames)
    torn = data[: draw.draw(st.integers(0, len(data)))]
    whole, size = [], 0
    for frame in frames:
        size += len(write([frame]))
        if size <= len(torn):
            whole.append(frame)
    assert kept(torn) == whole
    damaged = sum(item.end - item.start for item in salvage(torn, SEED) if isinstance(item, Damage))
    assert damaged == len(torn) - len(write(whole))


@given(frame_lists.filter(bool), st.data())
def test_a_flipped_bit_costs_the_frame_it_is_in_and_no_other(
    frames: list[tuple[Kind, bytes, bytes, bytes]], draw: st.DataObject
) -> None:
    data = bytearray(write(frames))
    place = draw.draw(st.integers(0, len(data) - 1))
    data[place] ^= 1 << draw.draw(st.integers(0, 7))
    ends = [len(write(frames[: count + 1])) for count in range(len(frames))]
    hit = next(index for index, end in enumerate(ends) if place < end)
    assert kept(bytes(data)) == frames[:hit] + frames[hit + 1 :]


@given(frame_lists, st.binary(max_size=100), frame_lists)
def test_foreign_bytes_between_frames_are_stepped_over(
    before: list[tuple[Kind, bytes, bytes, bytes]], foreign: bytes, after: list[tuple[Kind, bytes, bytes, bytes]]
) -> None:
    assert kept(write(before) + foreign + write(after)) == before + after


def test_a_frame_inside_a_body_is_not_taken_for_one_of_the_series() -> None:
    forged = write([(Kind.ADMISSION, b"f" * 16, b"forged", b"")], checksum_seed("guessed"))
    data = bytearray(write([(Kind.PROGRESS, b"a" * 16, b"meta", forged), (Kind.PROGRESS, b"b" * 16, b"next", b"")]))
    data[0] ^= 1
    assert [frame[1] for frame in kept(bytes(data))] == [b"b" * 16]
