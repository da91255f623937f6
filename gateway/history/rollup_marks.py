"""Marks for hours whose sums are no longer right. Whoever changes turns leaves one, in the same transaction.

A mark is a row of its own and is never updated, so that setting one waits for nobody: neither for another writer's nor
for the rollup that is just taking the older marks away.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

import psycopg

MARK = "INSERT INTO gateway_rollupdue (hour, marked_at) SELECT unnest(%s::timestamptz[]), now()"


def mark_due(connection: psycopg.Connection[Any], hours: Iterable[datetime.datetime]) -> None:
    """Raises psycopg.Error."""
    wanted = sorted(hours)
    if wanted:
        with psycopg.Cursor(connection) as cursor:
            cursor.execute(MARK, [wanted])
