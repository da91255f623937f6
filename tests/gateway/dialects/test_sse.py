"""Bytes in, events out: wherever the cuts are, whatever the bytes."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.dialects.sse import ServerSentEvent, SSEDecoder
from tests.transcripts.captured import exchange, streams

MIB = 1024 * 1024


def decode(chunks: list[bytes], line_cap: int = 16 * MIB) -> tuple[list[ServerSentEvent], SSEDecoder]:
    decoder = SSEDecoder(line_cap)
    events = [event for chunk in chunks for event in decoder.feed(chunk)]
    last = decoder.finish()
    return ([*events, last] if last is not None else events), decoder


def said(body: bytes) -> list[tuple[bytes, bytes]]:
    return [(event.name, event.data) for event in decode([body])[0]]


CASES = {
    "one event with a name": (b"event: ping\ndata: {}\n\n", [(b"ping", b"{}")]),
    "an event without a name": (b"data: {}\n\n", [(b"", b"{}")]),
    "several data lines are joined by LF": (b"data: a\ndata: b\n\n", [(b"", b"a\nb")]),
    "no space after the colon": (b"event:x\ndata:y\n\n", [(b"x", b"y")]),
    "only one space is taken off": (b"data:  y\n\n", [(b"", b" y")]),
    "CRLF": (b"event: x\r\ndata: y\r\n\r\n", [(b"x", b"y")]),
    "CR alone": (b"event: x\rdata: y\r\r", [(b"x", b"y")]),
    "line ends of all kinds in one event": (b"event: x\rdata: y\ndata: z\r\n\n", [(b"x", b"y\nz")]),
    "a byte order mark first": (b"\xef\xbb\xbfdata: y\n\n", [(b"", b"y")]),
    "a byte order mark later is data": (b"data: \xef\xbb\xbfy\n\n", [(b"", b"\xef\xbb\xbfy")]),
    "U+2028, U+2029 and U+0085 end no line": (
        "data: a\u2028b\u2029c\u0085d\n\n".encode(),
        [(b"", "a\u2028b\u2029c\u0085d".encode())],
    ),
    "VT, FF and FS end no line": (b"data: a\x0bb\x0cc\x1cd\n\n", [(b"", b"a\x0bb\x0cc\x1cd")]),
    "NUL and invalid UTF-8 are kept": (b"data: \x00\xff\xfe\n\n", [(b"", b"\x00\xff\xfe")]),
    "comments are no events": (b": hello\n\n:\n\ndata: y\n\n", [(b"", b"y")]),
    "a comment inside an event": (b"event: x\n: hello\ndata: y\n\n", [(b"x", b"y")]),
    "unknown fields are ignored": (b"color: red\ndata: y\n\n", [(b"", b"y")]),
    "a field without a colon has an empty value": (b"data\n\n", [(b"", b"")]),
    "an event without data is still an event": (b"event: ping\n\n", [(b"ping", b"")]),
    "blank lines alone are no events": (b"\n\n\r\n\r\r\n", []),
    "the last event without its blank line": (b"data: y\n", [(b"", b"y")]),
    "the last line without its end": (b"data: y\n\ndata: z", [(b"", b"y"), (b"", b"z")]),
    "a name that is said twice: the last counts": (b"event: a\nevent: b\ndata: y\n\n", [(b"b", b"y")]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES)
def test_reads(body: bytes, expected: list[tuple[bytes, bytes]]) -> None:
    assert said(body) == expected


@pytest.mark.parametrize("body", [body for body, _ in CASES.values()], ids=CASES)
def test_every_cut_gives_the_same_events_and_offsets(body: bytes) -> None:
    whole, decoder = decode([body])
    for cut in range(len(body) + 1):
        pieces, other = decode([body[:cut], b"", body[cut:]])
        assert pieces == whole
        assert (other.comments, other.warnings) == (decoder.comments, decoder.warnings)
    assert decode([body[i : i + 1] for i in range(len(body))])[0] == whole


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_a_captured_stream_is_the_same_at_every_cut(line_end: bytes) -> None:
    body = exchange("claude_bash_tool-1").response_body.replace(b"\n", line_end)
    whole, _ = decode([body])
    assert len(whole) == 27
    for cut in range(len(body)):
        assert decode([body[:cut], body[cut:]])[0] == whole


def test_ids_and_retries_are_read() -> None:
    events, _ = decode(
        [b"id: 7\nretry: 1500\ndata: y\n\nid: a\0b\nretry: soon\ndata: z\n\nretry: " + b"9" * 5000 + b"\n\n"]
    )
    assert [(event.id, event.retry) for event in events] == [(b"7", 1500), (None, None)]


def test_comments_are_counted() -> None:
    _, decoder = decode([b": one\n:two\n\ndata: y\n: three\n\n"])
    assert decoder.comments == 3


def test_an_event_that_no_blank_line_ended_is_incomplete() -> None:
    events, _ = decode([b"data: y\n\ndata: z\n"])
    assert [event.complete for event in events] == [True, False]


def test_offsets_lead_back_to_the_events_bytes() -> None:
    for stream in streams():
        events, _ = decode([stream.response_body])
        for event in events:
            (again,), _ = decode([stream.response_body[event.start : event.end] + b"\n"])
            assert (again.name, again.data) == (event.name, event.data)
        assert [event.start for event in events[1:]] == [event.end + 1 for event in events[:-1]]


lines = st.binary(max_size=12).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b""))
written_events = st.lists(st.tuples(lines, st.lists(lines, min_size=1, max_size=3)), max_size=4)


@given(written_events, st.sampled_from([b"\n", b"\r", b"\r\n"]), st.data())
def test_what_was_written_is_read_however_it_is_cut(
    events: list[tuple[bytes, list[bytes]]], end: bytes, data: st.DataObject
) -> None:
    body = b"".join(
        b"event: " + name + end + b"".join(b"data: " + line + end for line in content) + end for name, content in events
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    pieces = [body[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert [(event.name, event.data) for event in decode(pieces)[0]] == [(n, b"\n".join(c)) for n, c in events]


wild = st.lists(
    st.sampled_from(
        [b"data:", b"event: x", b"\r", b"\n", b"\r\n", b": c", b" ", b"abcdef", b"\xef\xbb\xbf", b"id:", b"\0"]
    ),
    max_size=20,
).map(b"".join)


@settings(max_examples=400)
@given(st.one_of(st.binary(max_size=60), wild), st.integers(1, 8), st.integers(0, 60))
def test_arbitrary_bytes_never_raise_and_cuts_never_show(body: bytes, cap: int, cut: int) -> None:
    whole, one = decode([body], cap)
    pieces, two = decode([body[:cut], body[cut:]], cap)
    single, three = decode([body[i : i + 1] for i in range(len(body))], cap)
    assert whole == pieces == single
    assert one.warnings == two.warnings == three.warnings
    assert all(0 <= event.start <= event.end <= len(body) for event in whole)


@pytest.mark.parametrize("size", [1000, 65536, 20 * MIB], ids=["small chunks", "socket chunks", "one chunk"])
def test_a_line_over_the_cap_makes_its_event_opaque_and_costs_no_more_than_the_cap(size: int) -> None:
    body = b"event: big\ndata: " + b"x" * (6 * MIB) + b"\ndata: more\n\ndata: next\n\n"
    tracemalloc.start()
    decoder, events, held = SSEDecoder(2 * MIB), [], 0
    for start in range(0, len(body), size):
        events += decoder.feed(body[start : start + size])
        held = max(held, tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert [(event.name, event.data, event.opaque) for event in events] == [(b"big", b"", True), (b"", b"next", False)]
    assert decoder.warnings == ["event at byte 0: a line is over the cap of 2097152 bytes"]
    assert held < 5 * MIB


def test_many_data_lines_are_held_to_the_cap_together() -> None:
    events, decoder = decode([b"data: " + b"x" * 100 + b"\n"] * 50 + [b"\n"], 1000)
    assert [event.opaque for event in events] == [True]
    assert decoder.warnings == ["event at byte 0: its data is over the cap of 1000 bytes"]


def test_a_line_of_ten_megabytes_in_small_chunks_takes_no_quadratic_time() -> None:
    body = b"data: " + b"x" * (10 * MIB) + b"\n\n"
    begun = time.perf_counter()
    events, _ = decode([body[i : i + 1024] for i in range(0, len(body), 1024)])
    assert len(events[0].data) == 10 * MIB
    assert time.perf_counter() - begun < 2
