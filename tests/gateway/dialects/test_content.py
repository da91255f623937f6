"""Content codings undone, whole, cut, wrong and hostile."""

from __future__ import annotations

import gzip
import os
import tracemalloc
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.content import decode_body

TEXT = os.urandom(500) + b"event: ping\ndata: {}\n\n" * 20_000
MIB = 1024 * 1024


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(data) + encoder.flush()


CODINGS = {
    "none": ("", TEXT),
    "identity": ("identity", TEXT),
    "gzip": ("gzip", gzip.compress(TEXT)),
    "its old name, in capitals": ("X-GZIP", gzip.compress(TEXT)),
    "deflate with the header": ("deflate", zlib.compress(TEXT)),
    "deflate without the header": ("deflate", raw_deflate(TEXT)),
    "brotli": ("br", brotli.compress(TEXT)),
    "zstd": ("zstd", zstandard.compress(TEXT)),
    "two codings, the last undone first": ("gzip, br", brotli.compress(gzip.compress(TEXT))),
    "gzip in two members": ("gzip", gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:])),
    "zstd in two frames": ("zstd", zstandard.compress(TEXT[:1000]) + zstandard.compress(TEXT[1000:])),
    "gzip with padding after it": ("gzip", gzip.compress(TEXT) + bytes(100)),
}


@pytest.mark.parametrize(("coding", "data"), CODINGS.values(), ids=CODINGS)
def test_decodes(coding: str, data: bytes) -> None:
    decoded = decode_body(coding, data)
    assert (decoded.data, decoded.truncated, decoded.error) == (TEXT, False, None)
    assert decode_body(coding.encode(), data) == decoded


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_cut_stream_gives_what_could_be_decoded(coding: str) -> None:
    noise = os.urandom(600_000)
    encoders = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress}
    data = encoders[coding](noise)
    decoded = decode_body(coding, data[: len(data) // 2])
    assert decoded.truncated
    assert decoded.error == f"{coding} content ends early"
    assert len(decoded.data) > 100_000
    assert noise.startswith(decoded.data)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "compress"])
def test_bytes_that_are_not_in_the_coding_give_an_error_and_no_data(coding: str) -> None:
    decoded = decode_body(coding, b'{"type":"message"}')
    assert decoded.data == b""
    assert coding in str(decoded.error)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_an_empty_body_in_any_coding_is_empty(coding: str) -> None:
    assert decode_body(coding, b"") == decode_body("", b"")


def quick_brotli(data: bytes) -> bytes:
    return brotli.compress(data, quality=1)


BOMBS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": quick_brotli, "zstd": zstandard.compress}


@pytest.mark.parametrize("coding", BOMBS)
def test_a_bomb_is_cut_at_the_bound_in_bounded_memory(coding: str) -> None:
    bomb = BOMBS[coding](bytes(200 * MIB))
    assert len(bomb) < MIB
    tracemalloc.start()
    decoded = decode_body(coding, bomb, bound=4 * MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(decoded.data) == 4 * MIB
    assert decoded.truncated
    assert decoded.error == "content is longer than 4194304 bytes"
    assert peak < 64 * MIB


def test_a_bomb_inside_a_bomb_is_bounded_at_each_stage() -> None:
    inner = gzip.compress(gzip.compress(bytes(100 * MIB)))
    decoded = decode_body("gzip, gzip", inner, bound=100_000)
    assert len(decoded.data) <= 100_000
    assert decoded.truncated


def test_a_long_list_of_codings_is_refused() -> None:
    assert decode_body(",".join(["gzip"] * 50), b"x").error == "content has more than 4 codings"


def test_a_plain_body_is_held_to_the_bound_too() -> None:
    assert decode_body("", b"abcdef", bound=3).data == b"abc"


@given(st.sampled_from(["gzip", "deflate", "br", "zstd", "br, gzip", "nonsense", ""]), st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(coding: str, data: bytes) -> None:
    decode_body(coding, data)
