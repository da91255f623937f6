"""The embedded server: real ones, started, killed and found again."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest

from proxy_project.embedded.address import SOCKET_PATH_BOUND, SocketAddress, recorded_address, socket_address
from proxy_project.embedded.cluster import postmaster_of
from proxy_project.embedded.faults import ClusterError, NotOurs
from proxy_project.embedded.placement import home_of
from proxy_project.embedded.postgres import EmbeddedPostgres
from tests.embedded.commands import wait_until
from tests.embedded.conftest import FAST


def connect(address: SocketAddress) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host=str(address.directory), port=address.port, user="turnlog", dbname="turnlog")


def answer(address: SocketAddress, query: str) -> object:
    with connect(address) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return row[0]


def servers_of(data_dir: Path) -> list[int]:
    cluster = str(home_of(data_dir) / "cluster")
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if "-D" in command and cluster in command and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def kill_everything_of(server: EmbeddedPostgres) -> None:
    assert server.process is not None
    processes = [server.process, *server.process.children(recursive=True)]
    for process in processes:
        process.kill()
    server.reap()


def test_a_new_cluster_is_utf8_with_checksums_and_no_port(empty_data_dir: Path) -> None:
    postgres = EmbeddedPostgres(empty_data_dir, settings=FAST)
    address = postgres.start()
    assert str(answer(address, "SHOW server_version")).startswith("18.")
    assert answer(address, "SHOW server_encoding") == "UTF8"
    assert answer(address, "SHOW data_checksums") == "on"
    assert answer(address, "SHOW listen_addresses") == ""
    assert answer(address, "SELECT datlocprovider::text FROM pg_database WHERE datname = 'turnlog'") == "b"
    assert answer(address, "SELECT lower('ÄÖÜ')") == "äöü"
    assert answer(address, "SHOW synchronous_commit") == "on"
    assert address.directory.stat().st_mode & 0o777 == 0o700
    assert recorded_address(postgres.data_dir) == address
    postgres.stop()


def test_only_our_role_may_connect_and_only_as_us(postgres: EmbeddedPostgres) -> None:
    address = postgres.start()
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry|does not exist"):
        psycopg.connect(host=str(address.directory), port=address.port, user="postgres", dbname="turnlog")


def test_the_server_never_runs_as_root(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    assert postgres.process is not None
    assert postgres.process.uids().effective != 0


def test_a_second_start_keeps_the_data(data_dir: Path) -> None:
    first = EmbeddedPostgres(data_dir, settings=FAST)
    with connect(first.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    assert servers_of(data_dir) == []
    second = EmbeddedPostgres(data_dir, settings=FAST)
    assert answer(second.start(), "SELECT answer FROM kept") == 42
    second.stop()


def test_after_kill_9_of_every_process_it_recovers(postgres: EmbeddedPostgres) -> None:
    with connect(postgres.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    kill_everything_of(postgres)
    assert not postgres.alive()
    assert answer(postgres.start(), "SELECT answer FROM kept") == 42


def test_after_kill_9_of_the_postmaster_alone_it_starts_again(postgres: EmbeddedPostgres) -> None:
    address = postgres.start()
    assert postgres.process is not None
    with connect(address):
        postgres.process.kill()
        wait_until(lambda: not postgres.alive())
        assert answer(postgres.start(), "SELECT 1") == 1
    assert len(servers_of(postgres.data_dir)) == 1


def test_a_pid_file_of_another_process_is_stale(postgres: EmbeddedPostgres) -> None:
    address = postgres.start()
    kill_everything_of(postgres)
    pid_file = home_of(postgres.data_dir) / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    assert postmaster_of(pid_file.parent) is None
    assert answer(postgres.start(), "SELECT 1") == 1
    assert address == recorded_address(postgres.data_dir)


def test_a_live_server_of_a_killed_starter_is_taken_over(data_dir: Path) -> None:
    first = EmbeddedPostgres(data_dir, settings=FAST)
    first.start()
    assert first.process is not None
    pid = first.process.pid
    first.let_go()
    second = EmbeddedPostgres(data_dir, settings=FAST)
    assert answer(second.start(), "SELECT 1") == 1
    assert second.process is not None
    assert second.process.pid == pid
    assert servers_of(data_dir) == [pid]
    second.stop()
    assert servers_of(data_dir) == []


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a data directory", id="a path with spaces"),
        pytest.param('it\'s "quoted", with a comma', id="a path with quotes and a comma"),
        pytest.param("ü/" + "long-" * 30, id="a path longer than a socket's may be"),
    ],
)
def test_the_data_directory_may_have_any_name(empty_data_dir: Path, name: str) -> None:
    data_dir = empty_data_dir
    server = EmbeddedPostgres(data_dir / name, settings=FAST)
    address = server.start()
    try:
        assert answer(address, "SELECT 1") == 1
        assert len(os.fsencode(address.directory / ".s.PGSQL.5432.lock")) <= SOCKET_PATH_BOUND
        assert socket_address(data_dir / name) == address
    finally:
        server.stop()
    if not address.directory.is_relative_to(data_dir):
        address.directory.rmdir()


def test_a_directory_the_server_cannot_walk_to_is_served_all_the_same() -> None:
    closed = Path(tempfile.mkdtemp(prefix="turnlog-closed-"))
    closed.chmod(0o700)
    server = EmbeddedPostgres(closed / "data", settings=FAST)
    address = server.start()
    home = home_of(closed / "data")
    try:
        assert answer(address, "SELECT 1") == 1
        server.stop()
        assert answer(server.start(), "SELECT 1") == 1
    finally:
        server.stop()
        if not home.is_relative_to(closed):
            shutil.rmtree(home)
        shutil.rmtree(closed)


def test_a_moved_data_directory_brings_its_cluster(data_dir: Path) -> None:
    first = EmbeddedPostgres(data_dir, settings=FAST)
    with connect(first.start()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    moved = data_dir.rename(data_dir.with_name(f"{data_dir.name}-moved"))
    second = EmbeddedPostgres(moved, settings=FAST)
    assert answer(second.start(), "SELECT answer FROM kept") == 42
    second.stop()
    moved.rename(data_dir)


def test_a_cluster_of_another_version_is_refused(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    postgres.stop()
    (home_of(postgres.data_dir) / "cluster" / "PG_VERSION").write_text("17\n")
    with pytest.raises(ClusterError, match=r"is of PostgreSQL 17 and this is 18.*DATABASE_URL"):
        postgres.start()


def test_a_socket_directory_of_somebody_else_is_refused(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, settings=FAST)
    directory = socket_address(data_dir).directory
    directory.symlink_to(tempfile.gettempdir())
    with pytest.raises(NotOurs, match="belongs to somebody else"):
        server.start()
    directory.unlink()


def test_an_initdb_that_was_killed_leaves_nothing_in_the_way(empty_data_dir: Path) -> None:
    postgres = EmbeddedPostgres(empty_data_dir, settings=FAST)
    half = home_of(empty_data_dir) / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    assert answer(postgres.start(), "SELECT 1") == 1
    assert not half.exists()
    postgres.stop()


def test_a_server_that_ignores_us_is_stopped_by_force(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    assert postgres.process is not None
    process = postgres.process
    process.send_signal(signal.SIGSTOP)
    postgres.stop(seconds=0.2)
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    assert servers_of(postgres.data_dir) == []


def test_the_servers_messages_are_in_the_log(postgres: EmbeddedPostgres) -> None:
    postgres.start()
    assert "ready to accept connections" in postgres.log_path.read_text()
