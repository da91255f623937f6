"""A month that goes whole: its partitions are detached, then dropped, and nobody waits for that longer than a moment.

What a legal hold keeps back is copied out first, rows and blobs, into tables that take the place of the old ones.
DETACH CONCURRENTLY waits for whoever reads, but nobody queues behind it; a lock that is not to be had within half a
second is asked for again later.
"""

from __future__ import annotations

import datetime
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.db.utils import OperationalError
from psycopg import sql

from gateway.history.findings import forget_month
from gateway.history.partitions import (
    PARTITIONED_TABLES,
    SEARCH_TABLES,
    TREE_TABLES,
    first_id,
    next_month,
    partition_statement,
)
from gateway.history.rollups import ROLLUP_LOCK, sum_month
from gateway.history.sweeping import Busy, raise_epoch, sweep
from gateway.models import DroppedMonth, RequestLog

LOCK_TIMEOUT = "500ms"
TRIES = 120
PAUSE_SECONDS = 0.5
MONTHS = """
SELECT DISTINCT to_date(right(child.relname, 7), 'YYYY_MM') FROM pg_inherits
JOIN pg_class child ON child.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
WHERE parent.relname = 'gateway_requestlog' AND child.relname ~ '_[0-9]{4}_[0-9]{2}$' ORDER BY 1
"""
LIKE = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
SIZE = "SELECT coalesce(sum(pg_total_relation_size(to_regclass(name))), 0) FROM unnest(%s::text[]) AS name"
PENDING = "SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass(%s)"


def existing_months() -> list[datetime.date]:
    """Those that have partitions, the oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(MONTHS)
        return [row[0] for row in cursor.fetchall()]


def size_of(month: datetime.date) -> int:
    """Bytes its partitions take, with indexes."""
    names = [partition(table, month) for table in all_tables()]
    with connection.cursor() as cursor:
        cursor.execute(SIZE, [names])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def all_tables() -> list[str]:
    return [*PARTITIONED_TABLES, *TREE_TABLES, *SEARCH_TABLES]


def partition(table: str, month: datetime.date) -> str:
    return f"{table}_{month:%Y_%m}"


def drop_month(month: datetime.date, held: Q | None = None) -> None:
    """Remove a month, but for what is held. May be run again after it was broken off. Raises Busy."""
    kept = of_month(month).filter(held).values_list("id", "scope") if held is not None else []
    pairs = list(kept)
    patiently(lambda: announce(month))
    raise_epoch()
    if pairs:
        copy_out(month, [id for id, _ in pairs], {scope for _, scope in pairs})
    for table in all_tables():
        take_away(table, month, replaced=bool(pairs))
    if not pairs:
        forget_month(month)
    for scope in {scope for _, scope in pairs}:
        sweep(month, scope)


def announce(month: datetime.date) -> None:
    """From here on neither the spool nor a rollup touches the month; a rollup that is under way ends first."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROLLUP_LOCK])
        if not DroppedMonth.objects.filter(month=month).exists():
            sum_month(cursor, month)
        DroppedMonth.objects.update_or_create(month=month)


def of_month(month: datetime.date) -> QuerySet[RequestLog]:
    return RequestLog.objects.filter(id__gte=first_id(month), id__lt=first_id(next_month(month)))


def copy_out(month: datetime.date, ids: list[uuid.UUID], scopes: Iterable[int]) -> None:
    """Tables of the held rows, and of all blobs of their scopes; the sweep afterwards removes what is too much."""
    with transaction.atomic(), connection.cursor() as cursor:
        for table in all_tables():
            name, kept = partition(table, month), f"{partition(table, month)}_kept"
            by_id = table in PARTITIONED_TABLES
            condition, values = ("id = ANY(%s)", ids) if by_id else ("scope = ANY(%s)", list(scopes))
            cursor.execute(f"DROP TABLE IF EXISTS {kept}")
            cursor.execute(f"CREATE TABLE {kept} (LIKE {table} {LIKE})")
            cursor.execute(f"INSERT INTO {kept} SELECT * FROM {name} WHERE {condition}", [values])  # noqa: S608


def take_away(table: str, month: datetime.date, *, replaced: bool) -> None:
    name = partition(table, month)
    gone = f"{name}_gone"
    with connection.cursor() as cursor:
        if exists(cursor, name):
            patiently(lambda: detach(cursor, table, name))
            patiently(lambda: cursor.execute(f"ALTER TABLE {name} RENAME TO {gone}"))
        if replaced and exists(cursor, f"{name}_kept"):
            bounds = (first_id(month), first_id(next_month(month)))
            if table not in PARTITIONED_TABLES:
                bounds = (month.isoformat(), next_month(month).isoformat())
            cursor.execute(f"ALTER TABLE {name}_kept RENAME TO {name}")
            patiently(lambda: cursor.execute(partition_statement(table, month, *bounds)))
        patiently(lambda: cursor.execute(f"DROP TABLE IF EXISTS {gone}"))


def exists(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
    return bool(cursor.fetchone()[0])


def detach(cursor: Any, table: str, name: str) -> None:
    """In two transactions of its own; a detach that was broken off is finished."""
    cursor.execute(PENDING, [name])
    row = cursor.fetchone()
    if row is None:
        return
    how = "FINALIZE" if row[0] else "CONCURRENTLY"
    statement = sql.SQL("ALTER TABLE {} DETACH PARTITION {} " + how)
    cursor.execute(statement.format(sql.Identifier(table), sql.Identifier(name)))


def patiently(work: Callable[[], object]) -> None:
    """Do what needs a lock for a moment: wait half a second for it at most, again and again. Raises Busy."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
        try:
            for _ in range(TRIES):
                try:
                    work()
                    return
                except OperationalError as error:
                    if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                        raise
                    time.sleep(PAUSE_SECONDS)
        finally:
            cursor.execute("RESET lock_timeout")
    raise Busy("somebody reads the month all the time; try again")
