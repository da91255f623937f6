"""How much was recorded, and how much room it takes."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import connection

from gateway.history.partitions import PARTITIONED_TABLES, SEARCH_TABLES, TREE_TABLES

RAW = """
SELECT count(*), coalesce(sum(r.request_bytes), 0)::bigint, coalesce(sum(s.response_bytes), 0)::bigint
FROM gateway_requestlog r LEFT JOIN gateway_responselog s ON s.id = r.id
"""
SIZES = """
SELECT parent.relname, coalesce(sum(pg_total_relation_size(child.oid)), 0)::bigint
FROM pg_class parent
JOIN pg_inherits ON inhparent = parent.oid
JOIN pg_class child ON child.oid = inhrelid AND child.relkind = 'r'
WHERE parent.relkind = 'p' AND parent.relnamespace = current_schema()::regnamespace
GROUP BY parent.relname ORDER BY 2 DESC
"""


class Statistics(NamedTuple):
    """Bytes as the database tells them: tables, their indexes and what lies out of line, of all months."""

    turns: int
    raw_bytes: int
    """Bodies of requests and answers as they came."""
    stored_bytes: int
    search_bytes: int
    tables: dict[str, int]

    @property
    def ratio(self) -> float | None:
        """Raw to stored; None when nothing is stored."""
        return round(self.raw_bytes / self.stored_bytes, 1) if self.stored_bytes else None

    def to_object(self) -> dict[str, Any]:
        named = {name: getattr(self, name) for name in ("turns", "raw_bytes", "stored_bytes", "search_bytes", "ratio")}
        return {**named, "tables": self.tables}


def read_statistics() -> Statistics:
    """Counts every turn: some seconds for millions of them."""
    with connection.cursor() as cursor:
        cursor.execute(RAW)
        turns, requests, responses = cursor.fetchone() or (0, 0, 0)
        cursor.execute(SIZES)
        tables = dict(cursor.fetchall())
    stored = sum(tables.get(table, 0) for table in (*PARTITIONED_TABLES, *TREE_TABLES))
    search = sum(tables.get(table, 0) for table in SEARCH_TABLES)
    return Statistics(turns, requests + responses, stored, search, tables)
