"""Whether the numbers can be trusted: the reconciliation line, the database, the migrations, the processes, whether the
worker keeps up and terms are kept."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from dashboard.queries.requests import moment_of
from gateway.history.retention import due_months
from gateway.metrics.gauges import Told, read_told
from gateway.models import BackupRecord, DeadLetter, RequestLog, RetentionTerm, RollupDue
from gateway.recording.status import Status, read_status
from gateway.version import VERSION

MIGRATIONS_SECONDS = 60
OVERDUE = timedelta(days=2)
"""Beyond a term: terms are kept once a day."""


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
        "redis_ms": redis_ms() if settings.TURNLOG.redis_url else None,
        "redis": bool(settings.TURNLOG.redis_url),
        "turnlog": VERSION,
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
            told = read_told(cursor)
        return (
            {
                "version": version,
                "size": size,
                "answer_ms": took,
                "pending": pending_migrations(),
                "processes": [of_process(one) for one in told],
                "due": RollupDue.objects.values("hour").distinct().count(),
                "late_ms": late_ms(),
                "letters": DeadLetter.objects.filter(state=DeadLetter.State.WAITING).count(),
            }
            | of_spool(told)
            | of_terms()
            | of_backups()
        )
    except DatabaseError as problem:
        return {"problem": str(problem).strip().split("\n")[0]}


def redis_ms() -> float | None:
    """How long it takes to answer; None: it does not."""
    began = time.perf_counter()
    try:
        cache.get("is-redis-there")
    except Exception:  # of whichever library talks to it
        return None
    return (time.perf_counter() - began) * 1000


def of_process(told: Told) -> dict[str, Any]:
    """What one process says of itself; what it does not say is None."""
    lag, up = told.value("event_loop_lag_seconds"), told.value("process_uptime_seconds")
    return {
        "name": told.process,
        "age_ms": told.age * 1000,
        "lag_ms": None if lag is None else lag * 1000,
        "memory": told.value("process_resident_memory_bytes"),
        "connections": told.value("process_open_connections"),
        "up_ms": None if up is None else up * 1000,
    }


def of_spool(told: Sequence[Told]) -> dict[str, Any]:
    """Of all hosts, as their loaders say it."""
    sizes = [size for one in told if (size := one.value("spool_bytes")) is not None]
    ages = [age for one in told if (age := one.value("spool_oldest_seconds")) is not None]
    return {"spool_bytes": sum(sizes) if sizes else None, "spool_oldest_ms": max(ages) * 1000 if ages else None}


def late_ms() -> float | None:
    """For how long the worker has not summed up what changed first; None: nothing waits."""
    first: datetime | None = RollupDue.objects.order_by("marked_at").values_list("marked_at", flat=True).first()
    return None if first is None else (timezone.now() - first).total_seconds() * 1000


def of_terms() -> dict[str, Any]:
    """Of everybody's term, and whether months are there that should have gone."""
    days = RetentionTerm.objects.filter(team__isnull=True).values_list("days", flat=True).first()
    first = RequestLog.objects.order_by("id").values_list("id", flat=True).first()
    return {
        "term_days": days,
        "oldest": moment_of(first.int) if first else None,
        "overdue": bool(due_months(timezone.now() - OVERDUE)),
    }


def of_backups() -> dict[str, Any]:
    """The newest whole one, whether it is too old, and the failure that came after it; None where there is none."""
    newest = BackupRecord.objects.order_by("-ended_at")
    last, failed = newest.filter(whole=True).first(), newest.filter(whole=False).first()
    days = settings.TURNLOG.backup_days
    return {
        "backup": last,
        "backup_old": bool(last and days and last.ended_at < timezone.now() - timedelta(days=days)),
        "backup_failed": failed if failed and (last is None or failed.ended_at > last.ended_at) else None,
    }


def pending_migrations() -> int:
    """How many the database lacks; looked at once a minute."""
    found: int | None = cache.get("pending-migrations")
    if found is None:
        executor = MigrationExecutor(connection)
        found = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        cache.set("pending-migrations", found, MIGRATIONS_SECONDS)
    return found
