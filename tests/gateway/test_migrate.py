"""`manage.py migrate` while the gateway serves."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.recorder import MigrationRecorder

from gateway.history.partitions import ensure_partitions

BEFORE, CHANGES = "0015_breakers", "0016_proxies_without_http2"
TABLE = "gateway_provider"


@pytest.fixture
def one_behind(transactional_db: None) -> Iterator[None]:
    call_command("migrate", "gateway", BEFORE, verbosity=0)
    yield
    call_command("migrate", verbosity=0)


def is_applied() -> bool:
    return MigrationRecorder.Migration.objects.filter(app="gateway", name=CHANGES).exists()


def test_a_migration_that_must_wait_for_a_lock_holds_up_nobody(one_behind: None, database_url: str) -> None:
    said = io.StringIO()

    def migrate() -> None:
        call_command("migrate", verbosity=0, stderr=said)
        connections.close_all()

    with psycopg.connect(database_url) as holder, psycopg.connect(database_url, autocommit=True) as reader:
        holder.execute(f"SELECT count(*) FROM {TABLE}")
        thread = threading.Thread(target=migrate)
        thread.start()
        reader.execute("SET lock_timeout = '20s'")
        while "trying again" not in said.getvalue():
            reader.execute(f"SELECT count(*) FROM {TABLE}")
        assert not is_applied()
        holder.rollback()
        thread.join(60)
    assert is_applied()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


INDEXES_BEFORE, INDEXES = "0016_proxies_without_http2", "0017_ascending_indexes"


@pytest.fixture
def before_indexes(transactional_db: None) -> Iterator[None]:
    ensure_partitions()
    call_command("migrate", "gateway", INDEXES_BEFORE, verbosity=0)
    yield
    call_command("migrate", verbosity=0)


def test_a_migration_of_many_steps_holds_up_nobody_either(before_indexes: None, database_url: str) -> None:
    said = io.StringIO()

    def migrate() -> None:
        call_command("migrate", verbosity=0, stderr=said)
        connections.close_all()

    with psycopg.connect(database_url) as holder, psycopg.connect(database_url, autocommit=True) as reader:
        holder.execute("LOCK TABLE gateway_requestlog IN ROW EXCLUSIVE MODE")
        thread = threading.Thread(target=migrate)
        thread.start()
        reader.execute("SET lock_timeout = '20s'")
        while "trying again" not in said.getvalue():
            reader.execute("DELETE FROM gateway_requestlog WHERE id IS NULL")
        holder.rollback()
        thread.join(120)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indisvalid FROM pg_indexes JOIN pg_index ON indexrelid = indexname::regclass "
                       "WHERE tablename LIKE 'gateway\\_requestlog%'")  # fmt: skip
        found = dict(cursor.fetchall())
    assert all(found.values())
    assert any(name.endswith("_by_model") for name in found)
    assert not {name for name in found if name.endswith("requestlog_model")}
