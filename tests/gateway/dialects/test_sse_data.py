"""The quick way to the data of events finds what the thorough one finds, however the stream is written and cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.sse import SSEDecoder
from gateway.dialects.sse_data import EventData

line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])
lines = st.sampled_from(
    [b'data: {"a":1}', b"data:x", b"data", b"event: message", b"event:ping", b": comment", b"id: 7", b"", b"", b"junk"]
)


def thorough(stream: bytes) -> list[bytes]:
    decoder = SSEDecoder()
    events = decoder.feed(stream)
    last = decoder.finish()
    return [event.data for event in [*events, *([last] if last is not None else [])] if event.data]


def quick(pieces: list[bytes]) -> list[bytes]:
    data = EventData()
    return [found for piece in pieces for found in data.feed(piece)] + data.finish()


@given(st.lists(st.tuples(lines, line_ends), max_size=20), st.lists(st.integers(0, 200), max_size=5))
def test_it_finds_what_the_decoder_finds(written: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    stream = b"".join(line + end for line, end in written)
    places = sorted({0, *(cut % (len(stream) + 1) for cut in cuts), len(stream)})
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert quick(pieces) == thorough(stream)


ERRORS = {
    b'event: error\ndata: {"message":"no"}\n\n': b'{"error":{"message":"no"}}',
    b"event: error\ndata: the engine died\n\n": b'{"error":"the engine died"}',
    b'event: error\ndata: {"type":"error","error":{"message":"no"}}\n\n': b'{"type":"error","error":{"message":"no"}}',
}


@pytest.mark.parametrize("written", ERRORS)
def test_an_error_that_only_its_name_tells_says_so_in_its_data(written: bytes) -> None:
    assert quick([written]) == [ERRORS[written]]


def test_an_event_without_an_end_does_not_fill_the_memory() -> None:
    data = EventData()
    for _ in range(40):
        data.feed(b"data: " + b"x" * 1_000_000)
    data.feed(b"\n\n")
    assert data.overflowed
    assert data.feed(b"data: y\n\n") == [b"y"]
