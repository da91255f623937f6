"""Months of the history tables. A month's partitions are made ahead, and at load time when they are missing.

A partition of a row table holds the ids (UUIDv7) whose time lies in one month of UTC; one of the tree's tables holds
that month's rows. It is made as a table of its own and then attached, which locks out no reader and no writer of the
others.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from django.db import connection
from psycopg import sql

PARTITIONED_TABLES = (
    "gateway_requestlog",
    "gateway_responselog",
    "gateway_chunktiming",
    "gateway_headerrecord",
    "gateway_ratelimitsample",
    "gateway_storedbody",
)
"""By range of `id`."""
TREE_TABLES = ("gateway_blob", "gateway_node", "gateway_manifestpage")
"""By range of `month`, its first day."""
SEARCH_TABLES = ("gateway_searchtext",)
"""The same, for what is derived of blobs; counted apart."""
ADVISORY_LOCK = 0x7475726E
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

ATTACH = sql.SQL("""
BEGIN
    PERFORM pg_advisory_xact_lock({key});
    IF to_regclass({name}) IS NULL THEN
        CREATE TABLE {partition} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE);
    END IF;
    IF NOT EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass({name})) THEN
        ALTER TABLE {parent} ATTACH PARTITION {partition} FOR VALUES FROM ({first}) TO ({beyond});
    END IF;
END
""")


def month_of(exchange_id: bytes) -> datetime.date:
    """First day of the month of a UUIDv7's time. Raises OverflowError beyond the year 9999."""
    milliseconds = int.from_bytes(exchange_id[:6], "big")
    return (EPOCH + datetime.timedelta(milliseconds=milliseconds)).date().replace(day=1)


def next_month(month: datetime.date) -> datetime.date:
    return (month.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)


def first_id(month: datetime.date) -> str:
    """The smallest id of the month, as text: the bound of its partition."""
    start = datetime.datetime(month.year, month.month, 1, tzinfo=datetime.UTC)
    milliseconds = (start - EPOCH) // datetime.timedelta(milliseconds=1)
    digits = f"{milliseconds << 80:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def months_from(month: datetime.date, ahead: int) -> list[datetime.date]:
    months = [month]
    for _ in range(ahead):
        months.append(next_month(months[-1]))
    return months


def ensure_partitions(months_ahead: int = 2, month: datetime.date | None = None) -> None:
    """Make the partitions of `month` (the current one when None) and of the `months_ahead` after it."""
    first = (month or datetime.datetime.now(datetime.UTC).date()).replace(day=1)
    with connection.cursor() as cursor:
        create_partitions(cursor, months_from(first, months_ahead))


def create_partitions(cursor: Any, months: Iterable[datetime.date]) -> None:
    """Make what is missing; several processes may do so at once. The cursor's transaction, if any, is used."""
    for month in months:
        for table in PARTITIONED_TABLES:
            cursor.execute(partition_statement(table, month, first_id(month), first_id(next_month(month))))
        for table in (*TREE_TABLES, *SEARCH_TABLES):
            cursor.execute(partition_statement(table, month, month.isoformat(), next_month(month).isoformat()))


def partition_statement(table: str, month: datetime.date, first: str, beyond: str) -> str:
    """One statement, hence one transaction: wait for others who do the same, make the table, attach it."""
    name = f"{table}_{month:%Y_%m}"
    body = ATTACH.format(
        key=sql.Literal(ADVISORY_LOCK),
        parent=sql.Identifier(table),
        partition=sql.Identifier(name),
        name=sql.Literal(name),
        first=sql.Literal(first),
        beyond=sql.Literal(beyond),
    ).as_string(None)
    return sql.SQL("DO {}").format(sql.Literal(body)).as_string(None)
