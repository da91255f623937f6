"""Bytes as columns hold them: what any version wrote is read, and small ones are compressed by a dictionary."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.history.packing import DICTIONARIES, LARGEST_BY_DICTIONARY, Damaged, pack, unpack
from tests.transcripts.captured import exchange

SHIPPED = {"1.zst": "2f7bf64f970f3b9c707d2f1ae8a3217b26d36b5c00f1c1a6f31695afeac1b676"}


@given(st.binary(max_size=200) | st.binary(min_size=60, max_size=90).map(lambda data: data * 1000))
def test_what_goes_in_comes_out(data: bytes) -> None:
    assert unpack(pack(data), len(data)) == data
    assert unpack(pack(data)) == data


@pytest.mark.parametrize("size", [LARGEST_BY_DICTIONARY, LARGEST_BY_DICTIONARY + 1])
def test_the_dictionary_is_for_what_is_small(size: int) -> None:
    data = b"event: ping\ndata: {}\n\n".ljust(size, b"x")
    packed = pack(data)
    assert packed[:2] == b"\x03\x01" if size == LARGEST_BY_DICTIONARY else packed[:1] == b"\x01"
    assert unpack(packed, size) == data


def test_threads_do_not_disturb_each_other() -> None:
    texts = [f'{{"type":"text","text":"number {number}"}}'.encode() * 9 for number in range(400)]
    for _ in range(5):  # threads of their own each time, as compressors are made once for a thread
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(lambda text: unpack(pack(text), len(text)), texts)) == texts


def test_an_answer_takes_less_than_half_of_what_it_takes_by_itself() -> None:
    answer = exchange("claude_three_turns-1").response_body
    assert len(pack(answer)) < len(zstandard.ZstdCompressor(level=9).compress(answer)) / 2


def test_what_was_written_without_a_dictionary_is_read() -> None:
    data = b"as it was before there were dictionaries " * 9
    assert unpack(b"\x01" + zstandard.ZstdCompressor(level=9).compress(data), len(data)) == data


def test_an_unknown_dictionary_is_named() -> None:
    packed = pack(b"a text that is long enough to be compressed" * 2)
    with pytest.raises(Damaged, match="dictionary 250"):
        unpack(packed[:1] + b"\xfa" + packed[2:])


@pytest.mark.parametrize("packed", [b"\x03", b"\x03\x01", b"\x03\x01nonsense", b"\x09x", b""])
def test_damage_is_told(packed: bytes) -> None:
    with pytest.raises(Damaged):
        unpack(packed, 7)


def test_dictionaries_never_change() -> None:
    """What is stored is read by them: add another one instead."""
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in DICTIONARIES.iterdir()}
    assert files == SHIPPED
