"""A split body put together again: skeleton, pages, blobs, marks."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from django.db import connection

from gateway.dialects.part_marks import Edit, restore
from gateway.dialects.request_parts import join
from gateway.history.packing import Damaged, unpack
from gateway.history.partitions import month_of
from gateway.history.planning import read_entries

PAGES = """
WITH RECURSIVE chain AS (
    SELECT digest AS head, digest, previous, entries, 1 AS back FROM gateway_manifestpage
    WHERE month = %(month)s AND scope = %(scope)s AND digest = ANY(%(heads)s)
    UNION ALL
    SELECT chain.head, page.digest, page.previous, page.entries, chain.back + 1
    FROM chain JOIN gateway_manifestpage page
      ON page.month = %(month)s AND page.scope = %(scope)s AND page.digest = chain.previous
)
SELECT head, entries, previous FROM chain ORDER BY head, back DESC
"""
BLOBS = "SELECT digest, size, data FROM gateway_blob WHERE month = %s AND scope = %s AND digest = ANY(%b)"

decode_skeleton = msgspec.msgpack.Decoder(tuple[list[bytes], list[tuple[int, bytes | list[bytes]]]]).decode
decode_marks = msgspec.msgpack.Decoder(list[tuple[int, int, bytes]]).decode


class ManifestRow(NamedTuple):
    """What StoredBody has of a split body."""

    exchange_id: uuid.UUID
    scope: int
    skeleton: bytes
    heads: Sequence[Any]
    tails: Sequence[Any]
    marks: bytes


class Mark(NamedTuple):
    """`text` was taken out of the part with this number, in the body's order, at `offset` of what is left."""

    number: int
    offset: int
    text: bytes


def rebuild_split(row: ManifestRow, size: int) -> bytes:
    """The body, not yet proved. Raises Damaged."""
    entries = read_lists(row)
    blobs = read_blobs(row.exchange_id, row.scope, {row.skeleton, *(digest for run in entries for digest in run)})
    try:
        literals, runs = decode_skeleton(blobs[row.skeleton])
        edits = {
            number: [Edit(mark.offset, mark.text) for mark in marks]
            for number, marks in groupby(read_marks(row.marks), key=lambda mark: mark.number)
        }
        parts, first = [], 0
        for run in entries:
            parts.append([restore(blobs[digest], edits.get(number, ())) for number, digest in enumerate(run, first)])
            first += len(run)
        body = join(literals, [(run, gaps) for run, (_, gaps) in zip(parts, runs, strict=True)])
    except (ValueError, KeyError) as error:
        raise Damaged(f"the parts do not fit together: {error!r}") from error
    if len(body) != size:
        raise Damaged(f"the parts make {len(body)} bytes and {size} were recorded")
    return body


def read_lists(row: ManifestRow) -> list[list[bytes]]:
    """Digests of the blobs of each of the body's lists, in its order. Raises Damaged."""
    pages = read_pages(row)
    lists = []
    for head, tail in zip(row.heads, row.tails, strict=True):
        full = pages.get(bytes(head)) if head is not None else b""
        if full is None:
            raise Damaged("a page of the manifest is missing")
        lists.append(read_entries(full + bytes(tail)))
    return lists


def read_pages(row: ManifestRow) -> dict[bytes, bytes]:
    """For each head all entries up to it."""
    heads = [bytes(head) for head in row.heads if head is not None]
    if not heads:
        return {}
    values: dict[str, Any] = {"month": month_of(row.exchange_id.bytes), "scope": row.scope, "heads": heads}
    with connection.cursor() as cursor:
        cursor.execute(PAGES, values)
        rows = cursor.fetchall()
    pages: dict[bytes, bytes] = {}
    for head, chain in groupby(rows, key=lambda found: bytes(found[0])):
        links = list(chain)
        if links[0][2] is None:
            pages[head] = b"".join(bytes(entries) for _, entries, _ in links)
    return pages


def read_blobs(exchange_id: uuid.UUID, scope: int, digests: Iterable[bytes]) -> dict[bytes, bytes]:
    """Bytes by digest, of the exchange's month. Raises Damaged when one is missing or cannot be read."""
    wanted = set(digests)
    with connection.cursor() as cursor:
        cursor.execute(BLOBS, [month_of(exchange_id.bytes), scope, list(wanted)])
        found = {bytes(digest): unpack(bytes(data), size) for digest, size, data in cursor}
    if len(found) != len(wanted):
        raise Damaged(f"{len(wanted) - len(found)} of its {len(wanted)} blobs are missing")
    return found


def read_marks(packed: bytes) -> list[Mark]:
    """In the order of the parts. Raises Damaged."""
    if not packed:
        return []
    try:
        return [Mark(*mark) for mark in decode_marks(unpack(packed))]
    except ValueError as error:
        raise Damaged(f"the marks cannot be read: {error}") from error
