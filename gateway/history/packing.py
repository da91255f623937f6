"""Bytes as the history's columns hold them: a first byte that says how, then the bytes, compressed where that helps.

What is small compresses badly by itself: most of an answer is the frames of its stream, most of a tool its schema. Up
to 64 KiB are compressed by a dictionary of such frames, whose number stands before the compressed bytes. The
dictionaries are files (`dictionaries/`, made by `bench/dictionary.py`) and stay as they are; a better one gets the next
number.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import zstandard

from gateway.models.at_rest import KeyGone, seal, unseal

PLAIN = b"\x00"
ZSTD = b"\x01"
BY_DICTIONARY = b"\x03"
LEVEL = 9
LEVEL_BY_DICTIONARY = 12
SMALLEST_COMPRESSED = 32
LARGEST_BY_DICTIONARY = 1 << 16
DICTIONARY = 1
"""The one in use."""
DICTIONARIES = Path(__file__).parent / "dictionaries"
UNKNOWN_SIZE = -1
LARGEST_UNSIZED = 1 << 26


class Damaged(ValueError):
    """Stored bytes are not those that were recorded."""


class Codecs(threading.local):
    """zstandard's objects may not be used by two threads at once."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()
        self._by_dictionary: zstandard.ZstdCompressor | None = None
        self._decompressors: dict[int, zstandard.ZstdDecompressor] = {}

    def by_dictionary(self) -> zstandard.ZstdCompressor:
        if self._by_dictionary is None:
            dictionary = read_dictionary(DICTIONARY)
            dictionary.precompute_compress(level=LEVEL_BY_DICTIONARY)
            self._by_dictionary = zstandard.ZstdCompressor(level=LEVEL_BY_DICTIONARY, dict_data=dictionary)
        return self._by_dictionary

    def decompressor_of(self, number: int) -> zstandard.ZstdDecompressor:
        """Raises Damaged when there is no such dictionary."""
        found = self._decompressors.get(number)
        if found is None:
            found = self._decompressors[number] = zstandard.ZstdDecompressor(dict_data=read_dictionary(number))
        return found


codecs = Codecs()


def read_dictionary(number: int) -> zstandard.ZstdCompressionDict:
    """One of the caller's own: what the library makes of it for one thread is not for another. Raises Damaged when
    there is none of that number."""
    return zstandard.ZstdCompressionDict(dictionary_content(number), dict_type=zstandard.DICT_TYPE_RAWCONTENT)


@cache
def dictionary_content(number: int) -> bytes:
    try:
        return zstandard.ZstdDecompressor().decompress((DICTIONARIES / f"{number}.zst").read_bytes())
    except FileNotFoundError as missing:
        raise Damaged(f"it was compressed by dictionary {number}, which this version does not have") from missing


def pack(data: bytes) -> bytes:
    """Compressed where that helps, and sealed when there is a key for it."""
    return seal(compress(data))


def compress(data: bytes) -> bytes:
    if len(data) < SMALLEST_COMPRESSED:
        return PLAIN + data
    if len(data) <= LARGEST_BY_DICTIONARY:
        compressed = BY_DICTIONARY + bytes([DICTIONARY]) + codecs.by_dictionary().compress(data)
    else:
        compressed = ZSTD + codecs.compressor.compress(data)
    return compressed if len(compressed) <= len(data) else PLAIN + data


def unpack(packed: bytes, size: int | None = None) -> bytes:
    """The bytes again; `size` is how many they were, where that was recorded apart. Raises Damaged."""
    try:
        packed = unseal(packed)
    except KeyGone as gone:
        raise Damaged(str(gone)) from gone
    form, data = packed[:1], packed[1:]
    if form == PLAIN:
        return exactly(data, size)
    if form == ZSTD:
        return decompress(data, size)
    if form == BY_DICTIONARY and data:
        return decompress(data[1:], size, codecs.decompressor_of(data[0]))
    raise Damaged(f"cannot read bytes packed in form {form!r}")


def decompress(data: bytes, size: int | None, decompressor: zstandard.ZstdDecompressor | None = None) -> bytes:
    """Raises Damaged."""
    try:
        # A damaged frame may announce any size, and the decompressor would ask for that much memory.
        announced = zstandard.frame_content_size(data)
        if announced not in (size, UNKNOWN_SIZE) if size is not None else not 0 <= announced <= LARGEST_UNSIZED:
            raise Damaged("the compressed bytes announce another size than was recorded")
        return exactly((decompressor or codecs.decompressor).decompress(data, max_output_size=size or 0), size)
    except zstandard.ZstdError as error:
        raise Damaged(f"the compressed bytes are damaged: {error}") from error


def exactly(data: bytes, size: int | None) -> bytes:
    if size is not None and len(data) != size:
        raise Damaged(f"{len(data)} bytes are there and {size} were recorded")
    return data
