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


class Command(migrate.Command):
    """Whoever waits for an exclusive lock on a table makes everybody behind it wait as well. So a migration that does
    not get its locks within a second is rolled back and tried again, those before it staying applied. One that is not a
    single transaction could not be tried again: it waits as long as it takes, and takes no lock that others mind."""

    def handle(self, *args: Any, **options: Any) -> None:
        self.database = options["database"]
        for _ in range(TRIES):
            try:
                super().handle(*args, **options)
                return
            except OperationalError as error:
                if not isinstance(error.__cause__, psycopg.errors.LockNotAvailable):
                    raise
                self.stderr.write("somebody is using a table that is to change: trying again")
            finally:
                self.wait_for_locks("0")
            time.sleep(PAUSE_SECONDS)
        raise CommandError(
            "a table that is to change was in use all the time: see who holds it in pg_stat_activity, end that, and "
            "run this again"
        )

    def migration_progress_callback(self, action: str, migration: Migration | None = None, fake: bool = False) -> None:
        if action in ("apply_start", "unapply_start") and migration is not None:
            self.wait_for_locks(LOCK_TIMEOUT if migration.atomic else "0")
        super().migration_progress_callback(action, migration, fake)

    def wait_for_locks(self, how_long: str) -> None:
        connection = connections[self.database]
        if connection.vendor == "postgresql" and connection.connection is not None and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, false)", [how_long])
