"""Asks for everything that is stored and cannot be found to be made searchable: after an upgrade, or a loss."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, Final

from django.db import connection

from gateway.history.manifests import ManifestRow, decode_skeleton, read_blobs, read_lists
from gateway.history.packing import Damaged
from gateway.history.partitions import month_of
from gateway.history.search.index import note_exchange
from gateway.models import Blob

PAGE: Final = 100
EXCHANGES: Final = """
SELECT r.id, r.scope, b.codec, b.skeleton, b.heads, b.tails, a.reply
FROM gateway_requestlog r
LEFT JOIN gateway_storedbody b ON b.id = r.id AND b.part = 0
LEFT JOIN gateway_responselog a ON a.id = r.id
WHERE r.id > %s ORDER BY r.id LIMIT %s
"""


def note_everything() -> Iterator[tuple[int, int]]:
    """Oldest first, so that a text belongs to the exchange that first brought it. After each page: how many exchanges
    were looked at, and how many texts of them are newly asked for."""
    last, exchanges, noted = uuid.UUID(int=0), 0, 0
    while rows := page_after(last):
        for row in rows:
            blobs = blobs_of(row)
            if blobs:
                noted += note_exchange(row[0], month_of(row[0].bytes), row[1], blobs)
        exchanges += len(rows)
        last = rows[-1][0]
        yield exchanges, noted


def page_after(last: uuid.UUID) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(EXCHANGES, [last, PAGE])
        rows: list[Any] = cursor.fetchall()
    return rows


def blobs_of(row: Any) -> list[tuple[bytes, int]]:
    """Digest and kind of each text of an exchange; of a damaged one what can be found out."""
    exchange_id, scope, codec, skeleton, heads, tails, reply = row
    found = [] if reply is None else [(bytes(reply), Blob.Kind.REPLY.value)]
    if codec != "split":
        return found
    try:
        lists = read_lists(ManifestRow(exchange_id, scope, bytes(skeleton), heads, tails, b""))
        _, runs = decode_skeleton(read_blobs(exchange_id, scope, [bytes(skeleton)])[bytes(skeleton)])
    except Damaged:
        return found
    return found + [(digest, kind) for (kind, _), digests in zip(runs, lists, strict=False) for digest in digests]
