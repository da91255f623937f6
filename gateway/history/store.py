"""Bodies of the history: what goes in comes out byte for byte, and is proved on the way out.

Writing makes rows for the loader's batch (`writer.py` copies them); reading rebuilds the bytes and checks them against
their SHA-256. A request's body is split where it has a shape that is known (`planning.py`); one that has not, and every
answer, is kept whole.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection

from gateway.dialects.json_values import JSONObject
from gateway.dialects.names import Dialect
from gateway.dialects.request_facts import RequestMembers
from gateway.dialects.request_parts import Unsplit
from gateway.dialects.resent import resent_message
from gateway.history.manifests import ManifestRow, rebuild_split
from gateway.history.packing import Damaged, decompress, pack, unpack
from gateway.history.planning import Manifest, Plan
from gateway.models import RequestLog, StoredBody
from gateway.models.at_rest import HistoryKey, key_of, sealing_key

LARGEST_BODY = 1 << 30
NO_MARKS = b"\x90"
"""msgpack of an empty list."""
REQUEST, RESPONSE = StoredBody.Part.REQUEST, StoredBody.Part.RESPONSE


class NotInHistory(LookupError):
    """There is no exchange with this id."""


class Patch(NamedTuple):
    """Bytes [start, end) of the request's body went out as `text`."""

    start: int
    end: int
    text: bytes


class BodyRow(NamedTuple):
    """A row of StoredBody."""

    id: uuid.UUID
    part: int
    size: int
    sha256: bytes
    codec: str
    data: bytes
    patch: Any = None
    skeleton: bytes | None = None
    heads: Sequence[bytes | None] | None = None
    tails: Sequence[bytes] | None = None
    whole_because: str | None = None


class StoredRequest(NamedTuple):
    """`leaves` are those of the prefix and of the messages."""

    rows: Sequence[BodyRow]
    leaves: tuple[bytes | None, bytes | None] = (None, None)


class RequestBody(NamedTuple):
    """A body as it came, and what `read_members` found in it."""

    data: bytes
    encoding: str
    members: RequestMembers | None


def put_request(plan: Plan, dialect: Dialect, request: RequestBody, patches: Sequence[Patch] = ()) -> StoredRequest:
    """Rows that keep a request's body as it came, and what was changed on its way out."""
    body, encoding, members = request
    if not body:
        return StoredRequest([])
    kept = [{"start": patch.start, "end": patch.end, "text": patch.text.decode("latin-1")} for patch in patches] or None
    exchange_id, digest = plan.additions.exchange_id, proof_of(body, sealing_key())
    coded = encoding.strip().lower() not in ("", "identity")
    found = Unsplit(f"content coding {encoding[:40]}") if coded else plan.request(dialect, body, members)
    if isinstance(found, Manifest):
        # Where there is a key there are always marks: they say with which.
        data = pack(found.marks or NO_MARKS) if found.marks or sealing_key() else b""
        where = (found.skeleton, found.heads, found.tails)
        row = BodyRow(exchange_id, REQUEST, len(body), digest, "split", data, kept, *where)
        return StoredRequest([row], (found.prefix_leaf, found.messages_leaf))
    row = BodyRow(exchange_id, REQUEST, len(body), digest, "packed", pack(body), kept, whole_because=found.reason)
    return StoredRequest([row])


def put_response(exchange_id: uuid.UUID, body: bytes) -> list[BodyRow]:
    """Rows that keep an answer's body as it was relayed."""
    if not body:
        return []
    return [BodyRow(exchange_id, RESPONSE, len(body), proof_of(body, sealing_key()), "packed", pack(body))]


def put_reply(plan: Plan, dialect: Dialect, message: JSONObject | None) -> bytes | None:
    """The digest of the blob that holds an answer's message as its client sends it back; None when there is none."""
    data = None if message is None else resent_message(dialect, message)
    return None if data is None else plan.reply(data)


def rebuild_request(exchange_id: uuid.UUID) -> bytes:
    """The request's body as the client sent it; empty when it had none. Raises NotInHistory and Damaged."""
    return rebuild(exchange_id, REQUEST)[0]


def rebuild_sent_request(exchange_id: uuid.UUID) -> bytes:
    """The request's body as the provider got it. Raises NotInHistory and Damaged."""
    body, patches = rebuild(exchange_id, REQUEST)
    for patch in sorted(patches, reverse=True):
        body = body[: patch.start] + patch.text + body[patch.end :]
    return body


def rebuild_response(exchange_id: uuid.UUID) -> bytes:
    """The answer's body as it was relayed, in its content coding. Raises NotInHistory and Damaged."""
    return rebuild(exchange_id, RESPONSE)[0]


BODY = """
SELECT b.id, b.size, b.sha256, b.codec, b.data, b.patch::text, b.skeleton, b.heads, b.tails, r.scope, b.part
FROM gateway_storedbody b LEFT JOIN gateway_requestlog r ON r.id = b.id
"""


def rebuild(exchange_id: uuid.UUID, part: StoredBody.Part) -> tuple[bytes, list[Patch]]:
    with connection.cursor() as cursor:
        cursor.execute(f"{BODY} WHERE b.id = %s AND b.part = %s", [exchange_id, part.value])
        row = cursor.fetchone()
    if row is None:
        if not RequestLog.objects.filter(id=exchange_id).exists():
            raise NotInHistory(f"there is no exchange {exchange_id} in the history")
        return b"", []
    return rebuild_row(row), read_patches(row[5])


def rebuild_row(row: Sequence[Any]) -> bytes:
    """The bytes of a row of BODY, proved. Raises Damaged."""
    exchange_id, size, digest, codec, data, _, skeleton, heads, tails, scope, _ = row
    if codec != "split":
        return unpack_body(size, bytes(digest), codec, bytes(data))
    manifest = ManifestRow(exchange_id, scope or 0, bytes(skeleton), heads, tails, bytes(data))
    return proved(rebuild_split(manifest, size), bytes(digest), key_of(bytes(data)))


def unpack_body(size: int, digest: bytes, codec: str, data: bytes) -> bytes:
    """The bytes of a body that is kept whole, proved. Raises Damaged."""
    if codec not in ("packed", "zstd") or not 0 <= size <= LARGEST_BODY:
        raise Damaged(f"cannot read {size} bytes of codec {codec!r}")
    if codec == "packed":
        return proved(unpack(data, size), digest, key_of(data))
    return proved(decompress(data, size), digest, None)


def proof_of(body: bytes, key: HistoryKey | None) -> bytes:
    """SHA-256 of the body; with a key HMAC-SHA256, which says nothing to those who guess what the body was."""
    return hmac.digest(key.proofs, body, "sha256") if key else hashlib.sha256(body).digest()


def proved(body: bytes, digest: bytes, key: HistoryKey | None) -> bytes:
    if proof_of(body, key) != digest:
        raise Damaged("the bytes do not have the SHA-256 they had when they were recorded")
    return body


def read_patches(text: str | None) -> list[Patch]:
    return [Patch(kept["start"], kept["end"], kept["text"].encode("latin-1")) for kept in json.loads(text or "[]")]
