"""Whether the numbers can be trusted: the reconciliation line, the database, the migrations, the processes."""

from __future__ import annotations

import shutil
import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from gateway.models import DeadLetter, FleetState, RollupDue
from gateway.recording.status import Status, read_status

MIGRATIONS_SECONDS = 60


def reconciled() -> Status | None:
    """Whether anything is missing; None when this process cannot read the spool."""
    try:
        return read_status(settings.TURNLOG.data_dir / "spool")
    except OSError:
        return None


def read_health() -> dict[str, Any]:
    """The template's context; what cannot be had is None."""
    disk = shutil.disk_usage(settings.TURNLOG.data_dir)
    context: dict[str, Any] = {
        "status": reconciled(),
        "disk_free": disk.free,
        "disk_share": disk.free / disk.total,
        "redis": bool(settings.TURNLOG.redis_url),
        "roles": settings.TURNLOG.roles,
        "now": timezone.now(),
    }
    return context | of_database()


def of_database() -> dict[str, Any]:
    began = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('server_version'), pg_database_size(current_database())")
            version, size = cursor.fetchone() or ("", None)
        took = (time.perf_counter() - began) * 1000
        return {
            "version": version,
            "size": size,
            "answer_ms": took,
            "pending": pending_migrations(),
            "processes": list(FleetState.objects.order_by("process")),
            "due": RollupDue.objects.values("hour").distinct().count(),
            "letters": DeadLetter.objects.filter(state=DeadLetter.State.WAITING).count(),
        }
    except DatabaseError as problem:
        return {"problem": str(problem).strip().split("\n")[0]}


def pending_migrations() -> int:
    """How many the database lacks; looked at once a minute."""
    found: int | None = cache.get("pending-migrations")
    if found is None:
        executor = MigrationExecutor(connection)
        found = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        cache.set("pending-migrations", found, MIGRATIONS_SECONDS)
    return found
