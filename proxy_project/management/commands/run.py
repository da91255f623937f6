"""`manage.py run`: everything Turnlog needs, in one command."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from proxy_project.embedded.announcement import announcement, misspelt_variables
from proxy_project.embedded.faults import EmbeddedFault
from proxy_project.embedded.lease import FileLock, held, starting_lock, supervisor_lock
from proxy_project.embedded.leftovers import end_leftovers
from proxy_project.embedded.listening import CannotListen, listen
from proxy_project.embedded.preparation import DatabaseSide, collect_static
from proxy_project.embedded.refusal import StartRefused
from proxy_project.embedded.server import SupervisedPostgres
from proxy_project.embedded.supervisor import Supervisor, ending
from proxy_project.embedded.voice import say
from proxy_project.environment import Environment

LOCK_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Run everything: PostgreSQL (unless DATABASE_URL names one), web, loader and worker. "
        "The first Ctrl-C waits for running requests, the second ends at once."
    )
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        environment = without_grace(settings.TURNLOG)
        lock = supervisor_lock(environment.data_dir)
        try:
            status = self.run(environment, lock)
        except (StartRefused, CannotListen) as refusal:
            say(f"Turnlog does not start: {refusal}")
            status = 1
        finally:
            lock.release()
        if status:
            sys.exit(status)

    def run(self, environment: Environment, lock: FileLock) -> int:
        for line in misspelt_variables(os.environ):
            say(line)
        become_supervisor(environment.data_dir, lock)
        end_what_was_left(environment.data_dir)
        listener = listen(environment.host, environment.port)
        postgres = None if environment.database_url else SupervisedPostgres(environment.data_dir)
        manage = Path(settings.BASE_DIR) / "manage.py"
        supervisor = Supervisor(environment, manage, listener, postgres)
        supervisor.listen_to_signals()
        return ending(supervisor, lambda: serve(supervisor, environment))


def without_grace(environment: Environment) -> Environment:
    """Nobody balances load in front of one machine's gateway, so nobody is there to notice a grace."""
    if environment.sources.get("drain_grace", "default") != "default":
        return environment
    return replace(environment, drain_grace=0.0, sources={**environment.sources, "drain_grace": "manage.py run"})


def become_supervisor(data_dir: Path, lock: FileLock) -> None:
    """One supervisor for a data directory. A command that looks whether there is one has the lock for a moment."""
    deadline = time.monotonic() + LOCK_SECONDS
    with held(starting_lock(data_dir)):
        while not lock.acquire(wait=False):
            if time.monotonic() > deadline:
                raise StartRefused(
                    f"it runs already on {data_dir}: stop that one, or set another TURNLOG_DATA_DIR and TURNLOG_PORT"
                )
            time.sleep(0.02)


def end_what_was_left(data_dir: Path) -> None:
    ended = end_leftovers(data_dir / "children.json")
    if ended:
        say(f"ended what an earlier start left running (process {', '.join(map(str, ended))})")


def serve(supervisor: Supervisor, environment: Environment) -> None:
    start_database(supervisor.postgres)
    base_url = environment.with_port(supervisor.listener.getsockname()[1]).base_url
    database = DatabaseSide(environment, base_url)
    database.prepare()
    refuse_open_mode(environment, keyed=database.keyed)
    collect_static()
    supervisor.chores = database.tend
    supervisor.start()
    for line in announcement(environment, base_url, database.sign_in, keyed=database.keyed):
        say(line)
    supervisor.run()


def start_database(postgres: SupervisedPostgres | None) -> None:
    if postgres is None:
        return
    try:
        postgres.start()
    except (EmbeddedFault, OSError) as fault:
        raise StartRefused(str(fault)) from None


def refuse_open_mode(environment: Environment, *, keyed: bool) -> None:
    """In open mode whoever can connect can use it, so that is offered to this machine alone."""
    if keyed or environment.allow_open or environment.listens_on_loopback:
        return
    raise StartRefused(
        f"TURNLOG_HOST={environment.host} can be reached by others, and no keys are set (open mode): set "
        "TURNLOG_ACCESS_KEYS_FILE to a file with one name=key a line, or TURNLOG_HOST=127.0.0.1, "
        "or TURNLOG_ALLOW_OPEN=1 to let everybody who can connect use it"
    )
