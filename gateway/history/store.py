"""Bodies of the history: what goes in comes out byte for byte, and is proved on the way out.

This interface stays; how bodies lie in the tables is known to this file alone. Writing makes rows for the loader's
batch (`writer.py` copies them); reading rebuilds the bytes and checks them against their SHA-256.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import zstandard
from django.db import connection

from gateway.models import RequestLog, StoredBody

LEVEL = 3
LARGEST_BODY = 1 << 30

compressor = zstandard.ZstdCompressor(level=LEVEL)
UNKNOWN_SIZE = -1
decompressor = zstandard.ZstdDecompressor()


class NotInHistory(LookupError):
    """There is no exchange with this id."""


class Damaged(ValueError):
    """Stored bytes are not those that were recorded."""


class Patch(NamedTuple):
    """Bytes [start, end) of the request's body went out as `text`."""

    start: int
    end: int
    text: bytes


BodyRow = tuple[uuid.UUID, int, int, bytes, str, bytes, Any]
"""id, part, size, sha256, codec, data, patch: a row of StoredBody."""


def put_request(exchange_id: uuid.UUID, body: bytes, patches: Sequence[Patch] = ()) -> list[BodyRow]:
    """Rows that keep a request's body as it came, and what was changed on its way out."""
    kept = [{"start": patch.start, "end": patch.end, "text": patch.text.decode("latin-1")} for patch in patches]
    return [body_row(exchange_id, StoredBody.Part.REQUEST, body, kept or None)] if body else []


def put_response(exchange_id: uuid.UUID, body: bytes) -> list[BodyRow]:
    """Rows that keep an answer's body as it was relayed."""
    return [body_row(exchange_id, StoredBody.Part.RESPONSE, body, None)] if body else []


def body_row(exchange_id: uuid.UUID, part: StoredBody.Part, body: bytes, patch: list[dict[str, Any]] | None) -> BodyRow:
    digest = hashlib.sha256(body).digest()
    return (exchange_id, part.value, len(body), digest, "zstd", compressor.compress(body), patch)


def rebuild_request(exchange_id: uuid.UUID) -> bytes:
    """The request's body as the client sent it; empty when it had none. Raises NotInHistory and Damaged."""
    return rebuild(exchange_id, StoredBody.Part.REQUEST)[0]


def rebuild_sent_request(exchange_id: uuid.UUID) -> bytes:
    """The request's body as the provider got it. Raises NotInHistory and Damaged."""
    body, patches = rebuild(exchange_id, StoredBody.Part.REQUEST)
    for patch in sorted(patches, reverse=True):
        body = body[: patch.start] + patch.text + body[patch.end :]
    return body


def rebuild_response(exchange_id: uuid.UUID) -> bytes:
    """The answer's body as it was relayed, in its content coding. Raises NotInHistory and Damaged."""
    return rebuild(exchange_id, StoredBody.Part.RESPONSE)[0]


def rebuild(exchange_id: uuid.UUID, part: StoredBody.Part) -> tuple[bytes, list[Patch]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT size, sha256, codec, data, patch::text FROM gateway_storedbody WHERE id = %s AND part = %s",
            [exchange_id, part.value],
        )
        row = cursor.fetchone()
    if row is None:
        if not RequestLog.objects.filter(id=exchange_id).exists():
            raise NotInHistory(f"there is no exchange {exchange_id} in the history")
        return b"", []
    size, digest, codec, data, patch = row
    return unpack_body(size, bytes(digest), codec, bytes(data)), read_patches(patch)


def unpack_body(size: int, digest: bytes, codec: str, data: bytes) -> bytes:
    """The bytes of a row, proved. Raises Damaged."""
    if codec != "zstd" or not 0 <= size <= LARGEST_BODY:
        raise Damaged(f"cannot read {size} bytes of codec {codec!r}")
    try:
        # A damaged frame may announce any size, and the decompressor would ask for that much memory.
        if zstandard.frame_content_size(data) not in (size, UNKNOWN_SIZE):
            raise Damaged("the compressed bytes announce another size than was recorded")
        body = decompressor.decompress(data, max_output_size=size)
    except zstandard.ZstdError as error:
        raise Damaged(f"the compressed bytes are damaged: {error}") from error
    if len(body) != size or hashlib.sha256(body).digest() != digest:
        raise Damaged("the bytes do not have the SHA-256 they had when they were recorded")
    return body


def read_patches(text: str | None) -> list[Patch]:
    return [Patch(kept["start"], kept["end"], kept["text"].encode("latin-1")) for kept in json.loads(text or "[]")]
