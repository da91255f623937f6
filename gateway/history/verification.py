"""Re-reads the whole history and proves it: every body against its SHA-256, every row against its neighbours, every
blob against its digest."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from gateway.history import timings
from gateway.history.blob_verification import Place, astray, blobs_of, places, wrong_with
from gateway.history.packing import Damaged
from gateway.history.store import BODY, rebuild_row
from gateway.models import RequestLog

PAGE = 200
NO_ID = uuid.UUID(int=0)


class Problem(NamedTuple):
    """`where` is an exchange's id, a blob's digest in hex digits, or a month and a team."""

    where: str
    what: str


@dataclass(slots=True)
class Progress:
    """How far a verification has come."""

    exchanges: int = 0
    bodies: int = 0
    bytes: int = 0
    blobs: int = 0


EXCHANGES = """
SELECT q.id, q.request_bytes, q.capture, r.id IS NOT NULL, h.id IS NOT NULL, r.response_bytes, t.count, t.packed
FROM gateway_requestlog q
LEFT JOIN gateway_responselog r ON r.id = q.id
LEFT JOIN gateway_headerrecord h ON h.id = q.id
LEFT JOIN gateway_chunktiming t ON t.id = q.id
WHERE q.id > %s ORDER BY q.id LIMIT %s
"""
BODIES = f"{BODY} WHERE b.id > %s AND b.id <= %s ORDER BY b.id, b.part"


def verify(progress: Progress) -> Iterator[Problem | None]:
    """Everything that is wrong, and None now and then for a look at `progress`, which moves on meanwhile."""
    last = NO_ID
    while rows := fetch(EXCHANGES, [last, PAGE]):
        newest = rows[-1][0]
        yield from verify_page(rows, last, newest, progress)
        last = newest
        yield None
    for place in places():
        yield from verify_place(place, progress)


def verify_place(place: Place, progress: Progress) -> Iterator[Problem | None]:
    for blobs in blobs_of(place):
        for digest, size, data in blobs:
            progress.blobs += 1
            what = wrong_with(digest, size, bytes(data))
            if what is not None:
                yield Problem(digest.hex(), f"blob of {place}: {what}")
        yield None
    for what in astray(place):
        yield Problem(str(place), what)
    yield None


def verify_page(rows: list[Any], last: uuid.UUID, newest: uuid.UUID, progress: Progress) -> Iterator[Problem]:
    sizes: dict[tuple[uuid.UUID, int], int] = {}
    known = {row[0] for row in rows}
    with connection.cursor() as cursor:
        cursor.execute(BODIES, [last, newest])
        for row in cursor.fetchall():
            exchange_id, size, part = row[0], row[1], row[-1]
            progress.bodies += 1
            progress.bytes += size
            sizes[exchange_id, part] = size
            # A long stream is stored later than what began after it, so it may have come in between.
            if exchange_id not in known and not RequestLog.objects.filter(id=exchange_id).exists():
                yield Problem(str(exchange_id), "has a body but no row")
            try:
                rebuild_row(row)
            except Damaged as damage:
                yield Problem(str(exchange_id), f"{('request', 'response')[part]}: {damage}")
    for row in rows:
        progress.exchanges += 1
        yield from verify_row(row, sizes)


def verify_row(row: Any, sizes: dict[tuple[uuid.UUID, int], int]) -> Iterator[Problem]:
    exchange_id, request_bytes, capture, has_response, has_headers, response_bytes, count, packed = row
    if not has_response:
        yield Problem(str(exchange_id), "has no row of its response")
    if not has_headers:
        yield Problem(str(exchange_id), "has no row of its headers")
    if capture == "full":
        for part, name, expected in ((0, "request", request_bytes), (1, "response", response_bytes or 0)):
            found = sizes.get((exchange_id, part), 0)
            if found != expected:
                yield Problem(str(exchange_id), f"{name}: {expected} bytes were recorded, {found} are there")
    if packed is not None and capture not in ("metadata", "capped"):
        yield from verify_timings(exchange_id, count, bytes(packed), sizes.get((exchange_id, 1), 0))


def verify_timings(exchange_id: uuid.UUID, count: int, packed: bytes, size: int) -> Iterator[Problem]:
    chunks = timings.unpack(packed)
    if len(chunks) != count or sum(size for _, size in chunks) != size:
        yield Problem(str(exchange_id), "chunk timings do not add up to the response")


def fetch(statement: str, values: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[Any] = cursor.fetchall()
    return rows
