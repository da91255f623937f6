"""Bytes as the history's columns hold them: a first byte that says how, then the bytes, compressed where that helps."""

from __future__ import annotations

import threading

import zstandard

from gateway.models.at_rest import KeyGone, seal, unseal

PLAIN = b"\x00"
ZSTD = b"\x01"
LEVEL = 9
SMALLEST_COMPRESSED = 64
UNKNOWN_SIZE = -1
LARGEST_UNSIZED = 1 << 26


class Damaged(ValueError):
    """Stored bytes are not those that were recorded."""


class Codecs(threading.local):
    """zstandard's objects may not be used by two threads at once."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


codecs = Codecs()


def pack(data: bytes) -> bytes:
    """Compressed where that helps, and sealed when there is a key for it."""
    return seal(compress(data))


def compress(data: bytes) -> bytes:
    if len(data) >= SMALLEST_COMPRESSED:
        compressed = codecs.compressor.compress(data)
        if len(compressed) < len(data):
            return ZSTD + compressed
    return PLAIN + data


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
    raise Damaged(f"cannot read bytes packed in form {form!r}")


def decompress(data: bytes, size: int | None) -> bytes:
    """Raises Damaged."""
    try:
        # A damaged frame may announce any size, and the decompressor would ask for that much memory.
        announced = zstandard.frame_content_size(data)
        if announced not in (size, UNKNOWN_SIZE) if size is not None else not 0 <= announced <= LARGEST_UNSIZED:
            raise Damaged("the compressed bytes announce another size than was recorded")
        return exactly(codecs.decompressor.decompress(data, max_output_size=size or 0), size)
    except zstandard.ZstdError as error:
        raise Damaged(f"the compressed bytes are damaged: {error}") from error


def exactly(data: bytes, size: int | None) -> bytes:
    if size is not None and len(data) != size:
        raise Damaged(f"{len(data)} bytes are there and {size} were recorded")
    return data
