"""Removes exchanges from the row tables, in bounded batches, and remembers their ids, so that the spool does not bring
them back."""

from __future__ import annotations

import datetime
import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.db import connection, transaction

from gateway.dialects.names import Dialect
from gateway.history.partitions import PARTITIONED_TABLES, month_of
from gateway.history.rollups import keep_removed
from gateway.history.sweeping import sweep

BATCH = 500
PLACES = """
SELECT scope, id, request_bytes + coalesce((SELECT response_bytes FROM gateway_responselog s WHERE s.id = r.id), 0)
FROM gateway_requestlog r WHERE id = ANY(%s) ORDER BY id FOR UPDATE
"""
REMEMBER = """
INSERT INTO gateway_erasedexchange (exchange_id, erased_at) SELECT unnest(%s::uuid[]), now() ON CONFLICT DO NOTHING
"""

FORGET_LETTERS = """
UPDATE gateway_deadletter SET frames = '', detail = '' WHERE exchange_id = ANY(%s) AND length(frames) > 0
"""
WITHDRAW = """
INSERT INTO gateway_withdrawnresponse (exchange_id, withdrawn_at)
SELECT id, now() FROM gateway_requestlog WHERE id = ANY(%(ids)s) AND dialect = %(dialect)s
ON CONFLICT (exchange_id) DO UPDATE SET withdrawn_at = EXCLUDED.withdrawn_at
"""
FORGET_GRADES = """
WITH gone AS (DELETE FROM gateway_gradedrequest WHERE request_id = ANY(%(ids)s) RETURNING grade_id, request_id)
DELETE FROM gateway_grade grade USING gone WHERE grade.id = gone.grade_id AND NOT EXISTS (
    SELECT FROM gateway_gradedrequest other
    WHERE other.grade_id = grade.id AND other.request_id <> ALL(%(ids)s))
"""


@dataclass(slots=True)
class Removed:
    """What a removal removed. `places` are the months and scopes to be swept; `responses` are those of the
    Responses API, which the gateway gives out no more; `letters` the dead letters that were stored after all."""

    exchanges: int = 0
    bodies_bytes: int = 0
    blobs: int = 0
    responses: int = 0
    letters: int = 0
    first_id: uuid.UUID | None = None
    last_id: uuid.UUID | None = None
    places: set[tuple[datetime.date, int]] = field(default_factory=set)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)


def remove(ids: Iterable[uuid.UUID]) -> Iterator[Removed]:
    """Remove these exchanges (in rising order), then what only they referred to. Gives what was done so far after each
    batch, the same object each time. Raises Busy."""
    removed = Removed()
    rising = iter(ids)
    while batch := list(islice(rising, BATCH)):
        remove_batch(batch, removed)
        yield removed
    for month, scope in sorted(removed.places):
        removed.blobs += sweep(month, scope)["gateway_blob"]
        yield removed


def remove_batch(batch: list[uuid.UUID], removed: Removed) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PLACES, [batch])
        rows = cursor.fetchall()  # those that are still there, and nobody else's from here on
        cursor.execute(REMEMBER, [batch])
        keep_removed(cursor, [id for _, id, _ in rows])
        cursor.execute(WITHDRAW, {"ids": batch, "dialect": Dialect.RESPONSES})
        removed.responses += cursor.rowcount
        cursor.execute(FORGET_LETTERS, [batch])
        removed.letters += cursor.rowcount
        for table in PARTITIONED_TABLES:
            cursor.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", [batch])  # noqa: S608
        cursor.execute(FORGET_GRADES, {"ids": batch})
    for scope, id, size in rows:
        removed.places.add((month_of(id.bytes), scope))
        removed.exchanges += 1
        removed.bodies_bytes += size
        removed.digest.update(f"{id}\n".encode())
        removed.first_id = removed.first_id or id
        removed.last_id = id
