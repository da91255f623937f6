"""Months of the history tables: made ahead, made when missing, by several at once."""

from __future__ import annotations

import datetime
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import uuid_utils
from django.db import connection, connections

from gateway.history.partitions import (
    PARTITIONED_TABLES,
    SEARCH_TABLES,
    TREE_TABLES,
    ensure_partitions,
    first_id,
    month_of,
    next_month,
)
from gateway.models import RequestLog

JULY = datetime.date(2031, 7, 1)


def partitions(month: datetime.date) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT parent.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
            "JOIN pg_class parent ON parent.oid = inhparent WHERE child.relname LIKE %s AND child.relkind = 'r'",
            [f"%\\_{month:%Y\\_%m}"],
        )
        return sorted(row[0] for row in cursor.fetchall())


def test_an_id_belongs_to_the_month_of_its_time() -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    assert month_of(uuid_utils.uuid7().bytes) == today.replace(day=1)
    assert month_of(uuid.UUID(first_id(JULY)).bytes) == JULY
    last = uuid.UUID(int=uuid.UUID(first_id(next_month(JULY))).int - 1)
    assert month_of(last.bytes) == JULY


@pytest.mark.parametrize(
    ("month", "following"), [((2026, 1), (2026, 2)), ((2026, 12), (2027, 1)), ((2028, 2), (2028, 3))]
)
def test_months_follow_one_another(month: tuple[int, int], following: tuple[int, int]) -> None:
    assert next_month(datetime.date(*month, 1)) == datetime.date(*following, 1)


@pytest.mark.django_db
def test_a_month_and_those_after_it_are_made_for_every_table() -> None:
    ensure_partitions(months_ahead=1, month=JULY)
    ensure_partitions(months_ahead=1, month=JULY)
    assert (
        partitions(JULY) == partitions(next_month(JULY)) == sorted([*PARTITIONED_TABLES, *TREE_TABLES, *SEARCH_TABLES])
    )


@pytest.mark.django_db(transaction=True)
def test_several_may_make_the_same_month_at_once() -> None:
    month = datetime.date(2032, 1, 1)

    def make(_: int) -> None:
        try:
            ensure_partitions(months_ahead=0, month=month)
        finally:
            connections.close_all()

    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(make, range(8)))
        assert partitions(month) == sorted([*PARTITIONED_TABLES, *TREE_TABLES, *SEARCH_TABLES])
    finally:
        with connection.cursor() as cursor:
            for table in PARTITIONED_TABLES:
                cursor.execute(f"DROP TABLE IF EXISTS {table}_2032_01")


@pytest.mark.django_db
def test_no_partition_takes_what_belongs_to_no_month() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relispartition AND pg_get_expr(relpartbound, oid) = 'DEFAULT'"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass",
            [RequestLog._meta.db_table],
        )
        assert cursor.fetchone() == (0,)
