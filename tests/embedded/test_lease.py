"""`manage.py` commands and the embedded server: started for their duration, shared, on hold."""

from __future__ import annotations

import signal
from pathlib import Path

from proxy_project.embedded.lease import FileLock, borrowed_postgres, is_ready
from tests.embedded.commands import manage, running, wait_until_nothing_runs

SLEEPER = "import sys, time; from django.db import connection; c = connection.cursor(); c.execute('SELECT 1'); "
ASK = SLEEPER + "print('answer', c.fetchone()[0], flush=True)"
WAIT = ASK + "; time.sleep(60)"


def test_a_command_has_a_server_for_its_duration(data_dir: Path) -> None:
    done = manage(data_dir, "shell", "--no-imports", "-c", ASK)
    assert done.stdout == "answer 1\n", done.stderr
    assert done.returncode == 0
    wait_until_nothing_runs(data_dir, 0.5)


def test_commands_share_one_server_and_the_last_one_stops_it(data_dir: Path) -> None:
    with running(data_dir, "shell", "--no-imports", "-c", WAIT) as first:
        first.wait_for("answer 1")
        assert manage(data_dir, "shell", "--no-imports", "-c", ASK).stdout == "answer 1\n"
        assert is_ready(data_dir), "the second command stopped the first one's server"
        first.signal(signal.SIGTERM)
        assert first.wait() == 143
        wait_until_nothing_runs(data_dir, 0.5)


def test_the_starter_may_leave_before_the_others(data_dir: Path) -> None:
    with running(data_dir, "shell", "--no-imports", "-c", WAIT) as first:
        first.wait_for("answer 1")
        with running(data_dir, "shell", "--no-imports", "-c", WAIT) as second:
            second.wait_for("answer 1")
            first.signal(signal.SIGINT)
            first.wait()
            assert is_ready(data_dir)
            second.signal(signal.SIGINT)
            assert second.wait() == 130
            wait_until_nothing_runs(data_dir, 0.5)


def test_a_command_that_is_killed_leaves_a_server_the_next_one_stops(data_dir: Path) -> None:
    with running(data_dir, "shell", "--no-imports", "-c", WAIT) as first:
        first.wait_for("answer 1")
        first.signal(signal.SIGKILL)
        first.wait()
        assert is_ready(data_dir)
        assert manage(data_dir, "shell", "--no-imports", "-c", ASK).stdout == "answer 1\n"
        wait_until_nothing_runs(data_dir, 0.5)


def test_on_hold_no_command_starts_a_server(data_dir: Path) -> None:
    hold = data_dir / "postgres" / "hold"
    hold.touch()
    done = manage(data_dir, "shell", "--no-imports", "-c", ASK)
    assert done.returncode == 1
    assert f"remove {hold}" in done.stderr
    assert "The database cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
    hold.unlink()
    assert manage(data_dir, "shell", "--no-imports", "-c", ASK).returncode == 0


def test_help_needs_no_server(empty_data_dir: Path) -> None:
    done = manage(empty_data_dir, "migrate", "--help")
    assert done.returncode == 0
    assert "usage: manage.py migrate" in done.stdout
    assert not (empty_data_dir / "postgres").exists()


def test_wrong_settings_are_said_in_a_line_each_without_a_traceback(empty_data_dir: Path) -> None:
    done = manage(empty_data_dir, "status", TURNLOG_PORT="many", TURNLOG_ROLES="cook", DATABASE_URL="mysql://x/y")
    assert done.returncode == 2
    assert done.stderr.split("\n") == [
        "TURNLOG_PORT needs a whole number",
        "TURNLOG_ROLES needs one or more of gateway, dashboard, separated by commas",
        "DATABASE_URL needs the form postgresql://user:password@host:5432/name",
        "",
    ]


def test_a_data_directory_that_cannot_be_made_is_said(empty_data_dir: Path) -> None:
    (empty_data_dir / "file").touch()
    done = manage(empty_data_dir / "file" / "below", "status")
    assert done.returncode == 2
    assert done.stderr.startswith("TURNLOG_DATA_DIR cannot be made: ")


def test_borrowing_inside_borrowing_is_one_server(data_dir: Path) -> None:
    with borrowed_postgres(data_dir):
        with borrowed_postgres(data_dir):
            assert is_ready(data_dir)
        assert is_ready(data_dir)
    assert not is_ready(data_dir)


def test_a_file_lock_is_shared_by_many_or_had_by_one(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.acquire(shared=True)
    assert other.acquire(shared=True, wait=False)
    assert not other.acquire(wait=False)
    one.release()
    assert other.acquire(wait=False)
    assert not one.acquire(shared=True, wait=False)
    one.release()
    other.release()
