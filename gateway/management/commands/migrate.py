"""`manage.py migrate`, which holds nobody up: Django's own, but for how long it waits for a lock."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections
from django.db.migrations import Migration
from django.db.utils import OperationalError

LOCK_TIMEOUT = "1s"
TRIES = 120
PAUSE_SECONDS = 0.5
CHANGES = ("ALTER", "CREATE", "DROP")


class Command(migrate.Command):
    """Whoever waits for an exclusive lock on a table makes everybody behind it wait as well. So a migration that does
    not get its locks within a second is rolled back and tried again, those before it staying applied. One that is not a
    single transaction has each of its statements tried again. What is built concurrently waits as long as it takes: it
    holds no lock that others mind."""

    stepwise = False
    """Whether the migration at work commits each statement."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.database = options["database"]
        for _ in range(TRIES):
            try:
                with connections[self.database].execute_wrapper(self.execute_step):
                    super().handle(*args, **options)
                return
            except OperationalError as error:
                if not is_busy(error):
                    raise
                self.tell()
            finally:
                self.stepwise = False
                self.wait_for_locks("0")
            time.sleep(PAUSE_SECONDS)
        raise CommandError(
            "a table that is to change was in use all the time: see who holds it in pg_stat_activity, end that, and "
            "run this again"
        )

    def migration_progress_callback(self, action: str, migration: Migration | None = None, fake: bool = False) -> None:
        if action in ("apply_start", "unapply_start") and migration is not None:
            self.stepwise = not migration.atomic
            self.wait_for_locks(LOCK_TIMEOUT if migration.atomic else "0")
        elif action in ("apply_success", "unapply_success"):
            self.stepwise = False
        super().migration_progress_callback(action, migration, fake)

    def execute_step(self, execute: Any, statement: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        """A statement of Django's: one of a stepwise migration that changes a table is tried until it gets its lock."""
        text = statement if isinstance(statement, str) else statement.as_string(None)
        alone = self.stepwise and not context["connection"].in_atomic_block
        if not alone or not text.lstrip().startswith(CHANGES) or " CONCURRENTLY " in text:
            return execute(statement, params, many, context)
        for attempt in range(1, TRIES + 1):
            self.wait_for_locks(LOCK_TIMEOUT)
            try:
                return execute(statement, params, many, context)
            except OperationalError as error:
                if not is_busy(error) or attempt == TRIES:
                    raise
                self.tell()
            finally:
                self.wait_for_locks("0")
            time.sleep(PAUSE_SECONDS)
        return None

    def tell(self) -> None:
        self.stderr.write("somebody is using a table that is to change: trying again")

    def wait_for_locks(self, how_long: str) -> None:
        connection = connections[self.database]
        if connection.vendor == "postgresql" and connection.connection is not None and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [how_long])


def is_busy(error: OperationalError) -> bool:
    return isinstance(error.__cause__, psycopg.errors.LockNotAvailable)
