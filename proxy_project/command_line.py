"""What `manage.py` does around a command: wrong settings are said in plain words, and the database is there.

While `manage.py run` is up, every command uses its PostgreSQL. Otherwise, and without DATABASE_URL, a command that
needs a database has one started for its own duration (`proxy_project/embedded/lease.py`).
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType

from proxy_project.embedded.faults import EmbeddedFault
from proxy_project.embedded.lease import borrowed_postgres
from proxy_project.environment import Environment, WrongEnvironment, load_environment
from proxy_project.production import check_production

SUPERVISED = "TURNLOG_SUPERVISED"
"""Set in the children of `manage.py run`, which neither wait for the server nor start one."""

WITHOUT_DATABASE = frozenset(
    {"", "help", "version", "run", "collectstatic", "findstatic", "compilemessages", "diffsettings", "makemessages"}
)


def execute(arguments: list[str]) -> int:
    """Run one command; returns the exit status."""
    try:
        environment = load_environment(os.environ)
        usable_directory(environment.data_dir)
        check_production(environment)
    except WrongEnvironment as problem:
        say(str(problem))
        return 2
    # Unwinds like Ctrl-C, so that a server started for this command is stopped; commands that drain replace it.
    signal.signal(signal.SIGTERM, leave_on_signal)
    return run(arguments, environment)


def run(arguments: list[str], environment: Environment) -> int:
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        with database_for(arguments, environment):
            execute_from_command_line(arguments)
    except KeyboardInterrupt:
        return 130
    except EmbeddedFault as fault:
        say(str(fault))
        return 1
    except OperationalError as error:
        if "--traceback" in arguments:
            raise
        say(f"The database cannot be used: {error}".rstrip())
        return 1
    return 0


def database_for(arguments: list[str], environment: Environment) -> AbstractContextManager[None]:
    if environment.database_url or os.environ.get(SUPERVISED) or not needs_database(arguments[1:]):
        return nullcontext()
    return borrowed_postgres(environment.data_dir, say)


def needs_database(arguments: list[str]) -> bool:
    command = arguments[0] if arguments else ""
    if command.startswith("-") or command in WITHOUT_DATABASE or {"-h", "--help"} & set(arguments):
        return False
    return command != "check" or any(argument.startswith("--database") for argument in arguments)


def usable_directory(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WrongEnvironment(f"TURNLOG_DATA_DIR cannot be made: {error.strerror} ({data_dir})") from None
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise WrongEnvironment(f"TURNLOG_DATA_DIR cannot be written to by this user ({data_dir})")


def leave_on_signal(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
