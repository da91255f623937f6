"""The PostgreSQL and the directories of one test run: made before Django reads its settings, gone afterwards.

A plugin of pytest rather than a conftest (`-p tests.throwaway` in pyproject.toml), because pytest-django reads the
settings before the first conftest is loaded.

The process that started pytest starts the server, by the same code as `make run`; the workers of pytest-xdist find it
in their environment, and pytest-django gives each a database of its own. `TEST_DATABASE_URL` names another server.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import quote

import psutil

from proxy_project.embedded.postgres import EmbeddedPostgres

PREFIX = "turnlog-tests-"
RUN_DIRECTORY = "TURNLOG_TEST_RUN_DIRECTORY"
OTHER_SERVER = "TEST_DATABASE_URL"

# A test run may lose its data when the machine goes down; it then starts again anyway.
FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "log_min_duration_statement": "-1",
}


def prepare_environment() -> None:
    """Set the variables the settings are read from. Called once in every process of the run, first of all."""
    for name in [name for name in os.environ if is_setting(name)]:
        del os.environ[name]
    if RUN_DIRECTORY not in os.environ:
        start_run()
    run = Path(os.environ[RUN_DIRECTORY])
    data_dir = run / os.environ.get("PYTEST_XDIST_WORKER", "main")
    # Whitenoise warns when there is no directory of static files, and a warning is an error here.
    (data_dir / "static").mkdir(parents=True, exist_ok=True)
    os.environ["TURNLOG_DATA_DIR"] = str(data_dir)
    os.environ["DATABASE_URL"] = os.environ.get(OTHER_SERVER) or (run / "database_url").read_text()


def is_setting(name: str) -> bool:
    conventional = name.removesuffix("_FILE") in ("DATABASE_URL", "REDIS_URL")
    return conventional or (name.startswith("TURNLOG_") and name != RUN_DIRECTORY)


def start_run() -> None:
    sweep_dead_runs()
    run = Path(tempfile.mkdtemp(prefix=PREFIX))
    # Started by root, PostgreSQL runs as another account, which must be able to walk to its cluster.
    run.chmod(0o755)
    (run / "pid").write_text(str(os.getpid()))
    os.environ[RUN_DIRECTORY] = str(run)
    server = EmbeddedPostgres(run, settings=FAST_SETTINGS)
    atexit.register(end_run, run, server, os.getpid())
    if not os.environ.get(OTHER_SERVER):
        address = server.start()
        host = quote(str(address.directory), safe="")
        (run / "database_url").write_text(f"postgresql://turnlog@/turnlog?host={host}&port={address.port}")


def end_run(run: Path, server: EmbeddedPostgres, starter: int) -> None:
    """Only the starter ends the run, not a child it forked."""
    if os.getpid() == starter:
        server.stop(seconds=5)
        shutil.rmtree(run, ignore_errors=True)


def sweep_dead_runs() -> None:
    """A run that was killed leaves its server; the next one ends it."""
    for run in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError, ValueError):
            if run.stat().st_uid == os.geteuid() and not psutil.pid_exists(int((run / "pid").read_text())):
                end_run(run, EmbeddedPostgres(run), os.getpid())


prepare_environment()
