"""Content codings undone for the record, bounded, so that a few kilobytes cannot become all of the memory.

What is relayed is never touched by this; only the copy that is parsed and shown.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import brotli  # type: ignore[import-untyped]
import zstandard

BOUND: Final = 64 * 1024 * 1024
"""The most bytes a body may have once decoded: 64 MiB."""

_MOST_CODINGS: Final = 4
_STEP: Final = 256 * 1024
# A zstd block of four bytes may stand for 128 KiB: 512 bytes in are at most 16 MiB out at a time.
_ZSTD_PIECE: Final = 512
_ZSTD_WINDOW: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Decoded:
    """`data` is as much as could be decoded; `truncated` when more would have followed (the input was cut, or the bound
    was met); `error` says what went wrong, None when nothing did."""

    data: bytes
    truncated: bool = False
    error: str | None = None


class _EndsEarlyError(Exception):
    """The input stops before its own end mark."""


def decode_body(encoding: str | bytes, data: bytes, bound: int = BOUND) -> Decoded:
    """Undo `encoding`, the value of a Content-Encoding header ("", "gzip", "gzip, br", ...), last coding first.

    Never raises. An unknown coding gives no data and an error. No stage of a list may exceed `bound` bytes.
    """
    text = encoding.decode("latin-1") if isinstance(encoding, bytes) else encoding
    codings = [coding for part in text.split(",") if (coding := part.strip().lower()) not in ("", "identity")]
    if len(codings) > _MOST_CODINGS:
        return Decoded(b"", error=f"content has more than {_MOST_CODINGS} codings")
    decoded = Decoded(data) if len(data) <= bound or codings else Decoded(data[:bound], True, _over(bound))
    for coding in reversed(codings):
        stage = _decode(coding, decoded.data, bound)
        decoded = Decoded(stage.data, decoded.truncated or stage.truncated, decoded.error or stage.error)
    return decoded


def _over(bound: int) -> str:
    return f"content is longer than {bound} bytes"


def _decode(coding: str, data: bytes, bound: int) -> Decoded:
    decoder = _DECODERS.get(coding)
    if decoder is None:
        return Decoded(b"", error=f"unknown content coding {coding[:40]!r}")
    out = bytearray()
    if not data:
        return Decoded(b"")
    try:
        for piece in decoder(data):
            out += piece
            if len(out) > bound:
                del out[bound:]
                return Decoded(bytes(out), True, _over(bound))
    except _EndsEarlyError:
        return Decoded(bytes(out), True, f"{coding} content ends early")
    except (zlib.error, brotli.error, zstandard.ZstdError) as problem:
        return Decoded(bytes(out), bool(out), f"not {coding} content: {problem}")
    return Decoded(bytes(out))


def _inflate(data: bytes, window_bits: int) -> Iterator[bytes]:
    """One zlib, gzip or raw deflate stream after the other; what is not another stream's start is left alone."""
    rest = data
    while rest:
        decoder = zlib.decompressobj(window_bits)
        while not decoder.eof:
            piece = decoder.decompress(rest, _STEP)
            rest = decoder.unconsumed_tail
            if piece:
                yield piece
            elif not rest and not decoder.eof:
                raise _EndsEarlyError
        rest = decoder.unused_data
        if not rest.startswith(b"\x1f\x8b"):
            return


def _gzip(data: bytes) -> Iterator[bytes]:
    return _inflate(data, zlib.MAX_WBITS | 16)


def _deflate(data: bytes) -> Iterator[bytes]:
    """With the zlib header the standard asks for, or without it, as some servers send it."""
    has_header = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return _inflate(data, zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)


def _brotli(data: bytes) -> Iterator[bytes]:
    decoder = brotli.Decompressor()
    yield decoder.process(data, output_buffer_limit=_STEP)
    while not decoder.is_finished():
        piece = decoder.process(b"", output_buffer_limit=_STEP)
        if not piece and not decoder.is_finished():
            raise _EndsEarlyError
        yield piece


def _zstd(data: bytes) -> Iterator[bytes]:
    rest = data
    while rest:
        decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        for start in range(0, len(rest), _ZSTD_PIECE):
            yield decoder.decompress(rest[start : start + _ZSTD_PIECE])
            if decoder.eof:
                rest = decoder.unused_data + rest[start + _ZSTD_PIECE :]
                break
        else:
            raise _EndsEarlyError


_DECODERS: Final[dict[str, Callable[[bytes], Iterator[bytes]]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
