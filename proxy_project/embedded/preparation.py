"""What must be done to the database and the disk before serving: done in full on the first start, checked on others."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from gateway.models import ApiKey
from proxy_project.embedded.first_request import FirstRequest
from proxy_project.embedded.refusal import StartRefused
from proxy_project.embedded.voice import say
from proxy_project.enter import entry_path
from proxy_project.environment import Environment

MIGRATION_LOCK = 0x6D696772
RETRY_SECONDS = 2.0


class DatabaseSide:
    """Migrations, the administrator, and what the announcement tells of them.

    A first start without its database is refused. A later one serves with the last known configuration, and this is
    made up for when the database is back: call `tend` now and then.
    """

    def __init__(self, environment: Environment, base_url: str) -> None:
        self.environment = environment
        self.base_url = base_url
        self.marker = environment.data_dir / "prepared"
        self.keyed = environment.holds_keys
        self.sign_in: str | None = None
        self.done = False
        self.tried_at = 0.0

    def prepare(self) -> None:
        """Raises StartRefused when the database cannot be used and never was."""
        error = self.attempt()
        if error is None:
            return
        if not self.marker.exists():
            raise StartRefused(f"the database cannot be used: {error}")
        say(f"the database cannot be used now ({error}): serving with the last known configuration until it can")

    def tend(self) -> None:
        if self.done or time.monotonic() - self.tried_at < RETRY_SECONDS:
            return
        if self.attempt() is None:
            say("the database can be used" + (f"; sign in at {self.base_url}{self.sign_in}" if self.sign_in else ""))

    def attempt(self) -> str | None:
        """None when all is done, else why it is not."""
        try:
            migrate()
            make_administrator()
            self.keyed = self.environment.holds_keys or ApiKey.objects.exists()
            user = administrator()
            self.sign_in = entry_path(user) if user is not None else None
            watcher = FirstRequest(self.base_url)
        except DatabaseError as error:
            return str(error).strip().split("\n")[0]
        finally:
            self.tried_at = time.monotonic()
            connection.close()
        self.marker.touch()
        self.done = True
        watcher.start()
        return None


def migrate() -> None:
    """Apply what is missing. Hosts that start together take turns."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if plan:
                say(f"applying {len(plan)} migrations")
                call_command("migrate", interactive=False, verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])


def collect_static() -> None:
    """Copy the pages' static files when the set, a size or a time of change differs from the last copy."""
    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    digest = static_digest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=stamp.parent.exists())
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest, encoding="ascii")


def static_digest() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = os.stat(storage.path(path))
            digest.update(f"{storage.path(path)}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def make_administrator() -> None:
    """On the first start. Without TURNLOG_ADMIN_PASSWORD only the sign-in link opens the account."""
    if User.objects.filter(is_superuser=True).exists():
        return
    environment = settings.TURNLOG
    # An empty password is stored as one that nothing matches.
    User.objects.create_superuser(environment.admin_user, password=environment.admin_password or None)
    how = "with TURNLOG_ADMIN_PASSWORD" if environment.admin_password else "without a password"
    say(f"made the administrator {environment.admin_user} {how}")


def administrator() -> User | None:
    """The account the sign-in link is for: TURNLOG_ADMIN_USER, else the first administrator there is."""
    active = User.objects.filter(is_superuser=True, is_active=True)
    return active.filter(username=settings.TURNLOG.admin_user).first() or active.order_by("pk").first()
