"""Backup while traffic runs, from a server of our own; restore into the embedded one, and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from proxy_project.embedded.placement import INSTALLATION, wheel_directory
from tests.e2e.processes import ProviderThread, WebProcess, running_web, until
from tests.e2e.wire import Pairs, Wire
from tests.embedded.commands import MANAGE, environment_for, manage, running

HEADERS: Pairs = [(b"x-api-key", b"sk-ant-of-the-backup"), (b"Content-Type", b"application/json")]
BODY = b'{"model":"claude-opus-5-5","stream":true,"messages":[{"role":"user","content":"hello"}]}'
BEFORE = 60
PAUSE = 0.02
"""Seconds between a caller's requests: as many as the machine can would make a history that takes minutes to read."""
"""Answers that must have come before the backup begins."""


class Traffic:
    """One request after the other of each of three callers, as fast as people's agents, until told to stop. `ids` are
    the exchanges whose answers came whole."""

    def __init__(self, web: WebProcess) -> None:
        self.ids: list[str] = []
        self._web = web
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(3)]

    def _call(self) -> None:
        with Wire(self._web) as wire:
            while not self._stop.is_set():
                wire.request("POST", b"/v1/messages", HEADERS, BODY)
                answer = wire.answer()
                assert answer.whole
                self.ids.append((answer.header(b"x-turnlog-request-id") or b"").decode())
                self._stop.wait(PAUSE)

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


@contextmanager
def own_database(name: str) -> Iterator[str]:
    """DATABASE_URL of an empty database on the test run's server."""
    server = os.environ["DATABASE_URL"]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def ok(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def status(data_dir: Path, **variables: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ok(manage(data_dir, "status", "--json", **variables)))
    return found


@contextmanager
def loading(data_dir: Path, **variables: str) -> Iterator[None]:
    """A loader, ended as a person would."""
    log = data_dir / "loader.log"
    with log.open("wb") as output:
        command = [sys.executable, str(MANAGE), "loader"]
        process = subprocess.Popen(command, env=environment_for(data_dir, **variables), stderr=output)
    try:
        until(lambda: b"loader started" in log.read_bytes(), 30, "the start of the loader")
        yield
        process.terminate()
        assert process.wait(40) == 0
    finally:
        process.kill()
        process.wait(10)


def load_all(data_dir: Path, **variables: str) -> None:
    """What the loader has to load, loaded."""
    with loading(data_dir, **variables):
        until(lambda: status(data_dir, **variables)["spooled"] == 0, 60, "an empty spool")


def test_nothing_is_lost_between_a_backup_under_load_and_its_restore(tmp_path: Path, empty_data_dir: Path) -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    archive = tmp_path / "backup.zip"
    with own_database(f"backed_up_{worker}") as url, ProviderThread() as provider:
        ok(manage(tmp_path / "data", "migrate", "--verbosity", "0", DATABASE_URL=url))
        with running_web(tmp_path, url, TURNLOG_ANTHROPIC_URL=provider.url) as web, Traffic(web) as traffic:
            with loading(web.data_dir, DATABASE_URL=url):
                until(lambda: len(traffic.ids) > BEFORE, 30, "traffic")
            # Without a loader for a while: then the spool holds what the database does not.
            count = len(traffic.ids)
            until(lambda: len(traffic.ids) > count + BEFORE, 30, "more traffic")
            with loading(web.data_dir, DATABASE_URL=url):
                before = list(traffic.ids)
                backup = manage(web.data_dir, "backup", str(archive), "--with-secrets", DATABASE_URL=url)
                assert ok(backup).startswith(f"{archive} holds the database, the spool of this host, the secret")
                assert "database: " in backup.stderr
                after = len(traffic.ids)
            assert after > len(before), "traffic stood still"
        check_archive(archive)
    restored(archive, empty_data_dir, before)


def check_archive(archive: Path) -> None:
    assert archive.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(archive) as file:
        sizes = {item.filename: item.file_size for item in file.infolist()}
    assert sizes["database.dump"] > 1000
    assert any(size for name, size in sizes.items() if name.endswith(".stubs")), "the spool was empty"


def restored(archive: Path, data_dir: Path, before: list[str]) -> None:
    """Into an embedded server that has never run."""
    said = manage(data_dir, "restore", str(archive), "--yes")
    assert "Restored the backup of" in ok(said)
    load_all(data_dir)
    ok(manage(data_dir, "history", "verify"))
    found = status(data_dir)
    assert found["balanced"] is True, found
    assert found["dropped"].get("not_in_backup") is None
    assert found["quarantined"] == 0
    script = "from gateway.models import RequestLog; print(*RequestLog.objects.values_list('id', flat=True))"
    stored = ok(manage(data_dir, "shell", "--no-imports", "-c", script)).split()
    assert len(stored) == len(set(stored)) == found["stored"]
    assert set(before) <= set(stored)
    raw = manage(data_dir, "history", "raw", before[0], "--part", "request")
    assert ok(raw).encode() == BODY
    again(archive, data_dir)


def again(archive: Path, data_dir: Path) -> None:
    """What is there is only replaced when that is said."""
    refused = manage(data_dir, "restore", str(archive), "--yes")
    assert refused.returncode == 1
    assert "something is there already (gateway_requestlog" in refused.stderr
    unasked = manage(data_dir, "restore", str(archive), "--replace")
    assert "nobody is there to be asked" in unasked.stderr
    ok(manage(data_dir, "restore", str(archive), "--yes", "--replace", "--without-spool"))
    found = status(data_dir)
    assert found["balanced"] is True, found
    assert found["spooled"] == 0
    ok(manage(data_dir, "history", "verify"))


def test_a_damaged_file_touches_nothing(tmp_path: Path, data_dir: Path) -> None:
    ok(manage(data_dir, "migrate", "--verbosity", "0"))
    folder = tmp_path / "backups"
    folder.mkdir()
    ok(manage(data_dir, "backup", str(folder)))
    [archive] = folder.iterdir()
    assert archive.name.startswith("turnlog-2")
    data = bytearray(archive.read_bytes())
    data[len(data) // 2] ^= 0xFF
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(data)
    for path, words in ((damaged, "damaged"), (Path(__file__), "no backup"), (tmp_path / "absent", "No such file")):
        done = manage(data_dir, "restore", str(path), "--yes", "--replace")
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert ok(manage(data_dir, "history", "list", "--json")) == "[]\n"


def test_a_restore_that_breaks_off_leaves_everything_as_it_was(tmp_path: Path, data_dir: Path) -> None:
    ok(manage(data_dir, "migrate", "--verbosity", "0"))
    ok(manage(data_dir, "shell", "--no-imports", "-c", MAKE_USER))
    archive = tmp_path / "backup.zip"
    ok(manage(data_dir, "backup", str(archive)))
    programs = wheel_directory() / INSTALLATION / "bin"
    for name, script in (
        ("psql", f'exec "{programs}/psql" "$@"'),
        ("pg_restore", f'"{programs}/pg_restore" "$@" | head -c 20000; echo "no more" >&2; exit 3'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    done = manage(data_dir, "restore", str(archive), "--yes", "--replace", "--binaries", str(tmp_path))
    assert done.returncode == 1
    assert "not restored: no more" in done.stderr
    assert ok(manage(data_dir, "shell", "--no-imports", "-c", COUNT_USERS)) == "1\n"


MAKE_USER = "from django.contrib.auth.models import User; User.objects.create_user('ada')"
NOTES = """
from gateway.models import BackupRecord
for note in BackupRecord.objects.order_by("id"):
    print(note.whole, note.size)
"""
COUNT_USERS = "from django.contrib.auth.models import User; print(User.objects.count())"


@pytest.mark.parametrize("arguments", [(), ("--yes",)])
def test_restore_waits_for_nobody_who_uses_the_database(
    tmp_path: Path, data_dir: Path, arguments: tuple[str, ...]
) -> None:
    ok(manage(data_dir, "migrate", "--verbosity", "0"))
    archive = tmp_path / "backup.zip"
    ok(manage(data_dir, "backup", str(archive)))
    exists = manage(data_dir, "backup", str(archive))
    assert "exists; name another file" in exists.stderr
    notes = ok(manage(data_dir, "shell", "--no-imports", "-c", NOTES)).splitlines()
    assert notes == [f"True {archive.stat().st_size}", "False None"]
    with running(data_dir, "run", TURNLOG_ANTHROPIC_URL="http://127.0.0.1:9") as command:
        command.wait_for("Turnlog is at")
        ok(manage(data_dir, "backup", str(tmp_path / "beside.zip")))
        done = manage(data_dir, "restore", str(archive), *arguments)
        assert done.returncode == 1
        assert "Stop web, loader and worker first" in done.stderr


def test_without_its_secrets_a_backup_says_what_cannot_be_read(tmp_path: Path, empty_data_dir: Path) -> None:
    archive = tmp_path / "backup.zip"
    with own_database(f"without_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}") as url:
        ok(manage(tmp_path / "data", "migrate", "--verbosity", "0", DATABASE_URL=url))
        ok(manage(tmp_path / "data", "backup", str(archive), DATABASE_URL=url))
    done = manage(empty_data_dir, "restore", str(archive), "--yes")
    assert "stored provider credentials cannot be read" in done.stderr
    assert "no access key made in the admin is known" in done.stderr
    ok(done)
