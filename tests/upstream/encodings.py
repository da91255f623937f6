"""Content codings, applied piece by piece with a flush after each, as a provider that streams does."""

from __future__ import annotations

import zlib

import brotli
import zstandard


def encode_pieces(name: str, pieces: list[bytes]) -> list[bytes]:
    """One encoded part for each piece; the last also ends the coding."""
    return {"gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}[name](pieces)


def _zlib(pieces: list[bytes], wbits: int) -> list[bytes]:
    coder = zlib.compressobj(wbits=wbits)
    parts = [coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return _ended(parts, coder.flush())


def _gzip(pieces: list[bytes]) -> list[bytes]:
    return _zlib(pieces, 31)


def _deflate(pieces: list[bytes]) -> list[bytes]:
    return _zlib(pieces, 15)


def _brotli(pieces: list[bytes]) -> list[bytes]:
    coder = brotli.Compressor(quality=4)
    parts = [coder.process(piece) + coder.flush() for piece in pieces]
    return _ended(parts, coder.finish())


def _zstd(pieces: list[bytes]) -> list[bytes]:
    coder = zstandard.ZstdCompressor().compressobj()
    parts = [coder.compress(piece) + coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for piece in pieces]
    return _ended(parts, coder.flush())


def _ended(parts: list[bytes], tail: bytes) -> list[bytes]:
    return [*parts[:-1], parts[-1] + tail] if parts else [tail]
