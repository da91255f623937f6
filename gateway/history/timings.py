"""Arrival times of an answer's chunks, packed: for each chunk a varint of the microseconds since the one before (0 for
the first) and a varint of its bytes. Varints are little-endian groups of seven bits, the highest bit set on all but
the last."""

from __future__ import annotations

from collections.abc import Sequence


def pack(times: Sequence[int], sizes: Sequence[int]) -> bytes:
    """`times` in microseconds on any clock that does not run backwards (a step back counts as 0), `sizes` in bytes."""
    packed = bytearray()
    last = times[0] if times else 0
    for at, size in zip(times, sizes, strict=True):
        append(packed, max(0, at - last))
        append(packed, size)
        last = max(last, at)
    return bytes(packed)


def append(packed: bytearray, number: int) -> None:
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)


def pack_held(held: Sequence[tuple[int, int]]) -> bytes:
    """Pairs of varints: microseconds since the admission, and for how many."""
    packed = bytearray()
    for at, length in held:
        append(packed, max(0, at))
        append(packed, max(0, length))
    return bytes(packed)


def unpack_held(packed: bytes) -> list[tuple[int, int]]:
    numbers = numbers_of(packed)
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def unpack(packed: bytes) -> list[tuple[int, int]]:
    """(microseconds since the first chunk, bytes) of each chunk."""
    numbers = numbers_of(packed)
    chunks = []
    at = 0
    for gap, size in zip(numbers[::2], numbers[1::2], strict=True):
        at += gap
        chunks.append((at, size))
    return chunks


def numbers_of(packed: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    return numbers
