"""Removes blobs, nodes and pages nobody refers to any more, without keeping anybody from writing.

Mark and sweep inside one month and scope. First the epoch is raised, under a lock every writing transaction holds
shared: from then on what a loader refers to bears the new epoch, and what was referred to before can be seen. Then
everything the month's requests reach is marked in temporary tables, and what is neither marked nor of the new epoch is
deleted, some thousand rows to a transaction.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection, transaction

from gateway.history.partitions import first_id, next_month
from gateway.history.projections import PROJECTIONS
from gateway.history.tree_writer import SWEEP_LOCK

BATCH = 2000
LOCK_TIMEOUT = "1s"
LOCK_TRIES = 60
LOCK_PAUSE_SECONDS = 0.5
RAISE_EPOCH = """
INSERT INTO gateway_epoch AS epoch (id, number) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET number = epoch.number + 1 RETURNING number
"""
REQUESTS = """
CREATE TEMP TABLE live_requests AS
SELECT r.prefix_leaf, r.messages_leaf, s.reply, b.skeleton, b.heads, b.tails
FROM gateway_requestlog r
LEFT JOIN gateway_responselog s ON s.id = r.id AND s.id >= %(first)s AND s.id < %(beyond)s
LEFT JOIN gateway_storedbody b ON b.id = r.id AND b.part = 0 AND b.id >= %(first)s AND b.id < %(beyond)s
WHERE r.id >= %(first)s AND r.id < %(beyond)s AND r.scope = %(scope)s
"""
PAGES = """
CREATE TEMP TABLE live_pages AS
WITH RECURSIVE live AS (
    SELECT DISTINCT head AS digest FROM live_requests, unnest(heads) AS head WHERE head IS NOT NULL
    UNION
    SELECT page.previous FROM live JOIN gateway_manifestpage page
      ON page.month = %(month)s AND page.scope = %(scope)s AND page.digest = live.digest
    WHERE page.previous IS NOT NULL
)
SELECT digest FROM live
"""
NODES = """
CREATE TEMP TABLE live_nodes AS
WITH RECURSIVE live AS (
    SELECT leaf AS digest FROM live_requests, unnest(ARRAY[prefix_leaf, messages_leaf]) AS leaf WHERE leaf IS NOT NULL
    UNION
    SELECT node.parent FROM live JOIN gateway_node node
      ON node.month = %(month)s AND node.scope = %(scope)s AND node.digest = live.digest
    WHERE node.parent IS NOT NULL
)
SELECT digest FROM live
"""
BLOBS = """
CREATE TEMP TABLE live_blobs AS
SELECT skeleton AS digest FROM live_requests WHERE skeleton IS NOT NULL
UNION SELECT reply FROM live_requests WHERE reply IS NOT NULL
UNION SELECT substring(tail FROM 1 + 20 * place FOR 20) FROM live_requests, unnest(tails) AS tail,
    generate_series(0, length(tail) / 20 - 1) AS place
UNION SELECT substring(page.entries FROM 1 + 20 * place FOR 20)
    FROM live_pages live JOIN gateway_manifestpage page
      ON page.month = %(month)s AND page.scope = %(scope)s AND page.digest = live.digest,
    generate_series(0, length(page.entries) / 20 - 1) AS place
UNION SELECT node.blob FROM live_nodes live JOIN gateway_node node
      ON node.month = %(month)s AND node.scope = %(scope)s AND node.digest = live.digest
"""
DEAD = """
CREATE TEMP TABLE dead AS
SELECT row_number() OVER () AS number, digest FROM {table} kept
WHERE month = %(month)s AND scope = %(scope)s AND epoch < %(epoch)s
  AND NOT EXISTS (SELECT FROM {live} live WHERE live.digest = kept.digest)
"""
DELETE = """
DELETE FROM {table} kept USING dead
WHERE dead.number > %(done)s AND dead.number <= %(beyond)s AND kept.digest = dead.digest
  AND kept.month = %(month)s AND kept.scope = %(scope)s AND kept.epoch < %(epoch)s
RETURNING kept.digest
"""
SWEPT = (
    ("gateway_blob", "live_blobs"),
    ("gateway_manifestpage", "live_pages"),
    ("gateway_node", "live_nodes"),
)
TEMPORARY = ("live_requests", "live_pages", "live_nodes", "live_blobs")


class Busy(Exception):
    """The lock that is needed for a moment was not to be had."""


def raise_epoch() -> int:
    """Begin a sweep: what loaders remember is void from here on. Raises Busy when they never let go for a minute."""
    for _ in range(LOCK_TRIES):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SWEEP_LOCK])
                cursor.execute(RAISE_EPOCH)
                row = cursor.fetchone()
                return int(row[0]) if row else 0
        except Exception as error:
            if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                raise
            time.sleep(LOCK_PAUSE_SECONDS)
    raise Busy("loaders were writing all the time; try again")


def sweep(month: datetime.date, scope: int) -> dict[str, int]:
    """Remove what nobody refers to in a month and scope; how many rows of each table. Raises Busy."""
    values = {
        "month": month,
        "scope": scope,
        "first": first_id(month),
        "beyond": first_id(next_month(month)),
        "epoch": raise_epoch(),
    }
    with marked(values):
        return {table: delete_dead(table, live, values) for table, live in SWEPT}


@contextmanager
def marked(values: dict[str, Any]) -> Iterator[None]:
    """Temporary tables of what is reached from the requests that are there now."""
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                mark_live(cursor, values)
            yield
        finally:
            drop(cursor, *TEMPORARY)


def mark_live(cursor: Any, values: dict[str, Any]) -> None:
    """Fill the temporary tables, as the first statements of a transaction: all of it is one snapshot."""
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    for statement in (REQUESTS, PAGES, NODES, BLOBS):
        cursor.execute(statement, values)
    for table in TEMPORARY[1:]:
        cursor.execute(f"ANALYZE {table}")


def drop(cursor: Any, *tables: str) -> None:
    for table in tables:
        cursor.execute(f"DROP TABLE IF EXISTS pg_temp.{table}")


def delete_dead(table: str, live: str, values: dict[str, Any]) -> int:
    deleted = done = 0
    with connection.cursor() as cursor:
        cursor.execute(DEAD.format(table=table, live=live), values)
        dead = cursor.rowcount
        try:
            while done < dead:
                batch = {**values, "done": done, "beyond": done + BATCH}
                with transaction.atomic():
                    cursor.execute(DELETE.format(table=table), batch)
                    digests = [bytes(row[0]) for row in cursor.fetchall()]
                    if table == "gateway_blob":
                        forget(values, digests)
                deleted += len(digests)
                done += BATCH
        finally:
            drop(cursor, "dead")
    return deleted


def forget(values: dict[str, Any], digests: list[bytes]) -> None:
    for projection in PROJECTIONS:
        projection.removed(connection.connection, values["month"], values["scope"], digests)
