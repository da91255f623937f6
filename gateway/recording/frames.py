"""The frames spool segments are made of: encoding one, walking the intact ones, and stepping over damage.

    magic 4 | version 1 | kind 1 | zero 2 | exchange id 16 | meta length 4 | blob length 4 | crc32 4 | meta | blob

Numbers are little-endian. The checksum covers the header before it, the meta and the blob, and starts from a value
derived from the series' random name: bytes a client sends can look like a frame, but not like one of this series, so a
walk that looks for the next frame behind a damaged one cannot be led into a body. Meta is MessagePack of a record of
`records.py`; the blob holds bytes as they came.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import NamedTuple

# The same CRC-32 as in zlib at a tenth of its price, which is felt with bodies of a megabyte.
from zlib_ng.zlib_ng import crc32

MAGIC = b"\xf1TLF"
VERSION = 1
HEADER = struct.Struct("<4sBB2x16sII")
CHECKSUM = struct.Struct("<I")
HEADER_SIZE = HEADER.size + CHECKSUM.size


class Kind(IntEnum):
    ADMISSION = 1
    PROGRESS = 2


class Frame(NamedTuple):
    """One intact frame and where it lies: `start` and `end` of the whole frame, offsets of meta and blob in between."""

    kind: int
    exchange_id: bytes
    start: int
    meta_start: int
    blob_start: int
    end: int


class Damage(NamedTuple):
    """Bytes [start, end) that belong to no intact frame."""

    start: int
    end: int


def checksum_seed(series: str) -> int:
    """What the checksums of a series start from."""
    return crc32(series.encode())


def encode_head(kind: int, exchange_id: bytes, meta: bytes, blob: Sequence[bytes], seed: int) -> bytes:
    """Header and meta of a frame whose blob is the given parts, to be written behind it. Ids are 16 bytes."""
    header = HEADER.pack(MAGIC, VERSION, kind, exchange_id, len(meta), sum(map(len, blob)))
    checksum = crc32(meta, crc32(header, seed))
    for part in blob:
        checksum = crc32(part, checksum)
    return header + CHECKSUM.pack(checksum) + meta


def read_frame(data: bytes | memoryview, start: int, seed: int) -> Frame | None:
    """The intact frame at `start`; None when there is none, or not yet a whole one."""
    if len(data) - start < HEADER_SIZE:
        return None
    magic, version, kind, exchange_id, meta_size, blob_size = HEADER.unpack_from(data, start)
    meta_start = start + HEADER_SIZE
    end = meta_start + meta_size + blob_size
    if magic != MAGIC or version != VERSION or end > len(data):
        return None
    (expected,) = CHECKSUM.unpack_from(data, start + HEADER.size)
    view = memoryview(data)
    found = crc32(view[meta_start:end], crc32(view[start : start + HEADER.size], seed))
    return Frame(kind, exchange_id, start, meta_start, meta_start + meta_size, end) if found == expected else None


def walk(data: bytes, seed: int, start: int = 0) -> Iterator[Frame]:
    """Intact frames one behind the other, up to the first place where there is none."""
    while (frame := read_frame(data, start, seed)) is not None:
        yield frame
        start = frame.end


def salvage(data: bytes, seed: int, start: int = 0) -> Iterator[Frame | Damage]:
    """All intact frames of a closed segment, and the damage between and behind them."""
    damaged_from: int | None = None
    while start < len(data):
        frame = read_frame(data, start, seed)
        if frame is not None:
            if damaged_from is not None:
                yield Damage(damaged_from, start)
                damaged_from = None
            yield frame
            start = frame.end
            continue
        if damaged_from is None:
            damaged_from = start
        following = data.find(MAGIC, start + 1)
        start = len(data) if following < 0 else following
    if damaged_from is not None:
        yield Damage(damaged_from, len(data))
