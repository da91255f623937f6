"""Keeps the search projection up to date: the loader leaves a note of each new blob, a task makes it searchable, and
looks in the same go for what content rules ask for (`gateway/history/findings.py`).

The loader's transaction pays for one small row a blob; words and trigrams are made elsewhere, and a history that is
searched a few seconds late is a fair price for a loader that never waits. A note is deleted in the transaction that
stores what it asked for, so that nothing is indexed by half or forgotten.
"""

from __future__ import annotations

import datetime
import logging
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import psycopg
from django.db import DataError, connection, transaction

from gateway.dialects.json_values import NotJSONError, read_json
from gateway.history.findings import FORGET_FINDINGS, StoredText, Tell, note_findings
from gateway.history.packing import Damaged, unpack
from gateway.history.partitions import create_partitions
from gateway.history.projections import StoredBlob
from gateway.history.search.secrecy import kept_words, trigram_key
from gateway.history.search.text import labels_of, text_of, trigrams_of, words_of
from gateway.models import Blob

log = logging.getLogger(__name__)

SKELETON: Final = Blob.Kind.SKELETON.value
BATCH: Final = 200

NOTE: Final = """
INSERT INTO gateway_searchqueue (month, scope, digest, kind, exchange_id)
SELECT %b, %b, * FROM unnest(%b::bytea[], %b::int2[], %b::uuid[])
"""
FORGET_NOTES: Final = "DELETE FROM gateway_searchqueue WHERE month = %b AND scope = %b AND digest = ANY(%b)"
FORGET: Final = "DELETE FROM gateway_searchtext WHERE month = %b AND scope = %b AND digest = ANY(%b)"
TAKE: Final = """
WITH taken AS (
    DELETE FROM gateway_searchqueue WHERE id = ANY (ARRAY(  -- an IN may be run again for each row, and take more
        SELECT id FROM gateway_searchqueue ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
    ))
    RETURNING id, month, scope, digest, kind, exchange_id
)
SELECT taken.month, taken.scope, taken.digest, taken.kind, taken.exchange_id, blob.size, blob.data
FROM taken LEFT JOIN gateway_blob blob
  ON blob.month = taken.month AND blob.scope = taken.scope AND blob.digest = taken.digest
ORDER BY taken.id
"""
STORE: Final = """
INSERT INTO gateway_searchtext (month, scope, digest, kind, exchange_id, words, trigrams)
VALUES (%s, %s, %s, %s, %s, array_to_tsvector(%s), %s)
ON CONFLICT (month, scope, digest) DO NOTHING
"""


class SearchIndex:
    """The projection, as the store tells of what it stores and removes."""

    def added(
        self, connection: psycopg.Connection[Any], month: datetime.date, scope: int, blobs: Sequence[StoredBlob]
    ) -> None:
        said = [blob for blob in blobs if blob.kind != SKELETON]
        if said:
            columns = [
                [blob.digest for blob in said],
                [blob.kind for blob in said],
                [blob.exchange_id for blob in said],
            ]
            psycopg.Cursor(connection).execute(NOTE, [month, scope, *columns])

    def removed(
        self, connection: psycopg.Connection[Any], month: datetime.date, scope: int, digests: Sequence[bytes]
    ) -> None:
        cursor = psycopg.Cursor(connection)
        cursor.execute(FORGET_NOTES, [month, scope, list(digests)])
        cursor.execute(FORGET, [month, scope, list(digests)])
        cursor.execute(FORGET_FINDINGS, [month, scope, list(digests)])


class Found(NamedTuple):
    """What a text is found by."""

    words: list[str]
    trigrams: list[int]


def index_batch(limit: int = BATCH, tell: Tell = len) -> int:
    """Make up to `limit` of the waiting blobs searchable; how many notes were taken. Several may run at once.
    `tell` is given what content rules found."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(TAKE, [limit])
        taken = cursor.fetchall()
        kept = [row for row in taken if row[-1] is not None]
        ensure_months(cursor, {row[0] for row in kept})
        texts = [read_text(*row) for row in kept]
        store(cursor, [(*text[:5], *found_by(text.value, text.text)) for text in texts])
        note_findings(texts, tell)
    return len(taken)


def store(cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    """A text that the database does not take, whatever is wrong with it, must not hold up the others."""
    try:
        with transaction.atomic():
            cursor.executemany(STORE, rows)
    except DataError as error:
        if len(rows) == 1:
            log.warning("a text of exchange %s cannot be made searchable: %s", rows[0][4], error)
            return
        for row in rows:
            store(cursor, [row])


def ensure_months(cursor: Any, months: Iterable[datetime.date]) -> None:
    """Make what is missing of months that were there before search was."""
    for month in months:
        cursor.execute("SELECT to_regclass(%s) IS NULL", [f"gateway_searchtext_{month:%Y_%m}"])
        if cursor.fetchone()[0]:
            create_partitions(cursor, [month])


def read_text(*row: Any) -> StoredText:
    """Of a row of TAKE; without a word when it cannot be read."""
    month, scope, digest, kind, exchange_id, size, data = row
    value = blob_value(bytes(data), size)
    return StoredText(month, scope, bytes(digest), kind, exchange_id, value, text_of(value))


def found_by(value: Any, text: str) -> Found:
    """Words, labels and trigrams."""
    return Found(kept_words(words_of(text), labels_of(value)), trigrams_of(text, trigram_key()))


def blob_value(packed: bytes, size: int) -> Any:
    """The JSON value of a blob; None when it is damaged or none."""
    try:
        return read_json(unpack(packed, size)).value
    except (Damaged, NotJSONError):
        return None


def waiting() -> int:
    """Blobs that cannot be found yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM gateway_searchqueue")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def note_exchange(exchange_id: uuid.UUID, month: datetime.date, scope: int, blobs: Sequence[tuple[bytes, int]]) -> int:
    """Ask for these (digest, kind) to be made searchable, where they are not; how many were not. Those whose first
    exchange is gone belong to this one from now on."""
    digests, kinds = [digest for digest, _ in blobs], [kind for _, kind in blobs]
    with connection.cursor() as cursor:
        cursor.execute(MISSING, [month, scope, digests, kinds, exchange_id])
        missing = int(cursor.rowcount)
        cursor.execute(REPOINT, [exchange_id, month, scope, digests])
    return missing


REPOINT: Final = """
UPDATE gateway_searchtext known SET exchange_id = %s
WHERE known.month = %s AND known.scope = %s AND known.digest = ANY(%s)
  AND NOT EXISTS (SELECT FROM gateway_requestlog row WHERE row.id = known.exchange_id)
"""
MISSING: Final = """
INSERT INTO gateway_searchqueue (month, scope, digest, kind, exchange_id)
SELECT place.month, place.scope, wanted.digest, wanted.kind, wanted.exchange_id
FROM (SELECT %s::date AS month, %s::int4 AS scope) place,
     (SELECT DISTINCT ON (digest) digest, kind, exchange_id
      FROM (SELECT unnest(%s::bytea[]) AS digest, unnest(%s::int2[]) AS kind, %s::uuid AS exchange_id) listed) wanted
WHERE NOT EXISTS (SELECT FROM gateway_searchtext known WHERE known.month = place.month
                  AND known.scope = place.scope AND known.digest = wanted.digest)
  AND NOT EXISTS (SELECT FROM gateway_searchqueue note WHERE note.month = place.month
                  AND note.scope = place.scope AND note.digest = wanted.digest)
"""
