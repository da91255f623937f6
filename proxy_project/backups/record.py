"""The note that a backup leaves in the database, for System health to tell of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from django.core.management.base import CommandError
from django.db import Error, transaction
from django.utils import timezone

from gateway.models import BackupRecord
from proxy_project.backups.dump import ToolFailed

NOTES_KEPT: Final = 100
"""Of whole ones, and of failed ones."""


@contextmanager
def noted(say: Callable[[str], None], *, spool: bool, secrets: bool) -> Iterator[BackupRecord]:
    """Whatever happens within is written down when it is over: only then, because the dump must not hold a note of a
    backup that was still going on."""
    record = BackupRecord(began_at=timezone.now(), with_spool=spool, with_secrets=secrets)
    try:
        yield record
        record.whole = True
    except BaseException as error:
        record.problem = reason(error)
        raise
    finally:
        record.ended_at = timezone.now()
        keep(record, say)


def keep(record: BackupRecord, say: Callable[[str], None]) -> None:
    """A backup is one without its note, too."""
    try:
        with transaction.atomic():
            record.save()
            same = BackupRecord.objects.filter(whole=record.whole).order_by("-pk").values_list("pk", flat=True)
            BackupRecord.objects.filter(pk__in=list(same[NOTES_KEPT:])).delete()
    except Error as error:
        say(f"System health will not know of this backup: {str(error).strip().splitlines()[0]}")


def reason(error: BaseException) -> str:
    """For all who may see System health: without a path, a host or a name. The terminal is told the rest."""
    if isinstance(error, OSError):
        return error.strerror or "the file could not be written"
    if isinstance(error, psycopg.Error | ToolFailed | Error):
        return "the database could not be read"
    if isinstance(error, CommandError):
        return "the file cannot be where it was told to be"
    return "it was broken off" if isinstance(error, KeyboardInterrupt) else type(error).__name__
