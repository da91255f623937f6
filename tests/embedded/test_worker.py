"""`manage.py worker` and its beat: real processes on a real broker."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import psycopg
import pytest
from django.db import connection
from psycopg import sql

from proxy_project.beat import BEAT_LOCK, OnlyBeat
from proxy_project.celery import app, configuration
from proxy_project.embedded.lease import borrowed_postgres
from proxy_project.environment import load_environment
from tests.embedded.commands import manage, running, wait_until

SEND = (
    "import proxy_project.celery; from gateway.tasks.partitions import make_partitions_ahead; "
    "make_partitions_ahead.delay()"
)


def beat(schedule: Path) -> OnlyBeat:
    return OnlyBeat(app, schedule_filename=str(schedule))


def holders() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [BEAT_LOCK])
        return int(cursor.fetchone()[0])


@pytest.mark.django_db
def test_only_one_beat_of_many_sends_and_the_next_takes_over(tmp_path: Path) -> None:
    first, second = beat(tmp_path / "first"), beat(tmp_path / "second")
    first.tick()
    second.tick()
    assert holders() == 1
    assert first.is_open
    assert not second.is_open
    first.close()
    wait_until(lambda: second.tick() >= 0 and second.is_open)
    assert holders() == 1
    second.close()
    wait_until(lambda: holders() == 0)


@pytest.mark.django_db
def test_a_beat_whose_session_was_cut_stops_sending_and_comes_back(tmp_path: Path) -> None:
    scheduler = beat(tmp_path / "schedule")
    scheduler.tick()
    assert scheduler.lock.session is not None
    pid = scheduler.lock.session.info.backend_pid
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    scheduler.tick()
    assert not scheduler.is_open
    wait_until(lambda: scheduler.tick() >= 0 and scheduler.is_open)
    scheduler.close()


def test_the_broker_is_redis_when_there_is_one_and_files_when_not(tmp_path: Path) -> None:
    with_redis = configuration(load_environment({"REDIS_URL": "redis://h:1/0", "TURNLOG_DATA_DIR": str(tmp_path)}))
    assert with_redis["broker_url"] == "redis://h:1/0"
    without = configuration(load_environment({"TURNLOG_DATA_DIR": str(tmp_path)}))
    assert without["broker_url"].startswith("filesystem://")
    assert Path(without["broker_transport_options"]["data_folder_in"]).is_relative_to(tmp_path / "broker")
    assert without["accept_content"] == ["json"]


def work_through(data_dir: Path, database_url: str, **variables: str) -> None:
    """A worker makes the partitions of this and the next months when told to, and ends on SIGTERM."""
    with running(data_dir, "worker", DATABASE_URL=database_url, **variables) as worker:
        worker.wait_for("beat sends the periodic tasks")
        with psycopg.connect(database_url, autocommit=True) as session:
            for name in partitions(session):
                session.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
            send(data_dir, database_url, variables)
            wait_until(lambda: len(partitions(session)) == 3)
        assert psutil.Process(worker.process.pid).memory_info().rss < 200 * 1024 * 1024
        worker.signal(signal.SIGTERM)
        assert worker.wait(20) == 0, worker.output


def partitions(session: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    query = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'gateway_requestlog'::regclass"
    return [str(name) for (name,) in session.execute(query)]


def send(data_dir: Path, database_url: str, variables: dict[str, str]) -> None:
    done = manage(data_dir, "shell", "--no-imports", "-c", SEND, DATABASE_URL=database_url, **variables)
    assert done.returncode == 0, done.stderr


def test_a_task_goes_through_files(empty_data_dir: Path, database_url: str) -> None:
    work_through(empty_data_dir, database_url)


def test_a_task_goes_through_redis(empty_data_dir: Path, database_url: str, redis_url: str) -> None:
    work_through(empty_data_dir, database_url, REDIS_URL=redis_url)


def test_a_worker_waits_for_a_database_that_is_away(data_dir: Path) -> None:
    hold = data_dir / "postgres" / "hold"
    hold.touch()
    with running(data_dir, "worker") as worker:
        worker.wait_for("beat waits for the database")
        hold.unlink()
        with borrowed_postgres(data_dir):
            worker.wait_for("beat sends the periodic tasks")
            worker.signal(signal.SIGTERM)
            assert worker.wait(20) == 0
