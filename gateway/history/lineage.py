"""What requests are made of, in the order of the provider's cache: tools, system, messages.

`parts_of` reads no text, only digests; `read_blobs` of `manifests.py` has the text. Two requests have a part in common
when its `part` is the same, and everything up to it when its `node` is.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection

from gateway.history.manifests import (
    ManifestRow,
    Mark,
    decode_skeleton,
    read_blobs,
    read_lists,
    read_marks,
)
from gateway.history.partitions import month_of
from gateway.history.store import NotInHistory

MESSAGE = 3
MANIFEST = """
SELECT b.codec, r.scope, b.skeleton, b.heads, b.tails, b.data, r.prefix_leaf, r.messages_leaf
FROM gateway_requestlog r LEFT JOIN gateway_storedbody b ON b.id = r.id AND b.part = 0
WHERE r.id = %s
"""
PATH = """
WITH RECURSIVE path AS (
    SELECT digest, parent, depth, part FROM gateway_node
    WHERE month = %(month)s AND scope = %(scope)s AND digest = %(leaf)s
    UNION ALL
    SELECT node.digest, node.parent, node.depth, node.part
    FROM path JOIN gateway_node node
      ON node.month = %(month)s AND node.scope = %(scope)s AND node.digest = path.parent
)
SELECT digest, part FROM path ORDER BY depth
"""
SIZES = "SELECT digest, size FROM gateway_blob WHERE month = %s AND scope = %s AND digest = ANY(%b)"


class Part(NamedTuple):
    """One part of a request. `place` counts within its kind, from 0; `size` is in bytes, without its marks."""

    kind: int
    """`Blob.Kind`: tool, system block or message."""
    place: int
    blob: bytes
    part: bytes
    """Digest of what it says."""
    node: bytes
    """It after all before it: tools and system are one chain, messages another."""
    size: int
    marks: Sequence[bytes]
    """What was taken out of it, as JSON text: `,"cache_control":{...}` for one."""


class Lineage(NamedTuple):
    """`parts` is empty when the body was not split; then both leaves are None."""

    exchange_id: uuid.UUID
    scope: int
    prefix_leaf: bytes | None
    messages_leaf: bytes | None
    parts: Sequence[Part]


def parts_of(exchange_id: uuid.UUID) -> Lineage:
    """What the request of an exchange is made of. Raises NotInHistory and Damaged."""
    with connection.cursor() as cursor:
        cursor.execute(MANIFEST, [exchange_id])
        row = cursor.fetchone()
    if row is None:
        raise NotInHistory(f"there is no exchange {exchange_id} in the history")
    codec, scope, skeleton, heads, tails, marks, prefix_leaf, messages_leaf = row
    if codec != "split":
        return Lineage(exchange_id, scope, None, None, [])
    manifest = ManifestRow(exchange_id, scope, bytes(skeleton), heads, tails, bytes(marks))
    parts = read_parts(manifest, prefix_leaf, messages_leaf)
    return Lineage(exchange_id, scope, plain(prefix_leaf), plain(messages_leaf), parts)


def read_parts(manifest: ManifestRow, prefix_leaf: Any, messages_leaf: Any) -> list[Part]:
    lists = read_lists(manifest)
    _, runs = decode_skeleton(read_blobs(manifest.exchange_id, manifest.scope, [manifest.skeleton])[manifest.skeleton])
    marks = read_marks(manifest.marks)
    sizes = read_sizes(manifest, [digest for entries in lists for digest in entries])
    nodes = {True: read_path(manifest, messages_leaf), False: read_path(manifest, prefix_leaf)}
    taken = {True: 0, False: 0}
    counts: dict[int, int] = {}
    starts = [sum(map(len, lists[:number])) for number in range(len(lists))]
    parts: list[Part] = []
    for number in sorted(range(len(lists)), key=lambda number: runs[number][0]):
        kind = runs[number][0]
        chain = kind == MESSAGE
        for at, blob in enumerate(lists[number], starts[number]):
            node, part = nodes[chain][taken[chain]]
            taken[chain] += 1
            place = counts[kind] = counts.get(kind, -1) + 1
            parts.append(Part(kind, place, blob, part, node, sizes[blob], marks_at(marks, at)))
    return parts


def marks_at(marks: Sequence[Mark], number: int) -> list[bytes]:
    return [mark.text for mark in marks if mark.number == number]


def read_path(manifest: ManifestRow, leaf: Any) -> list[tuple[bytes, bytes]]:
    """(digest, part) of each node from the root to the leaf."""
    if leaf is None:
        return []
    values = {"month": month_of(manifest.exchange_id.bytes), "scope": manifest.scope, "leaf": leaf}
    with connection.cursor() as cursor:
        cursor.execute(PATH, values)
        return [(bytes(digest), bytes(part)) for digest, part in cursor]


def read_sizes(manifest: ManifestRow, digests: Sequence[bytes]) -> dict[bytes, int]:
    with connection.cursor() as cursor:
        cursor.execute(SIZES, [month_of(manifest.exchange_id.bytes), manifest.scope, list(set(digests))])
        return {bytes(digest): size for digest, size in cursor}


def plain(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
