"""The note that a backup leaves of itself."""

from __future__ import annotations

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from gateway.models import BackupRecord
from proxy_project.backups import record
from proxy_project.backups.record import noted

pytestmark = pytest.mark.django_db


def run(error: BaseException | None = None, size: int | None = None) -> list[str]:
    said: list[str] = []
    with noted(said.append, spool=True, secrets=False) as note:
        note.size = size
        if error:
            raise error
    return said


def test_a_whole_backup_says_when_it_ended_and_how_large_it_is() -> None:
    assert run(size=1_200) == []
    note = BackupRecord.objects.get()
    assert (note.whole, note.size, note.with_spool, note.with_secrets, note.problem) == (True, 1_200, True, False, "")
    assert note.began_at <= note.ended_at


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(28, "No space left on device", "/secret/place"), "No space left on device"),
        (psycopg.OperationalError("user of host has no password"), "the database could not be read"),
        (KeyboardInterrupt(), "it was broken off"),
    ],
)
def test_a_failed_one_is_told_without_a_place_and_fails_all_the_same(error: BaseException, told: str) -> None:
    with pytest.raises(type(error)):
        run(error)
    note = BackupRecord.objects.get()
    assert (note.whole, note.size, note.problem) == (False, None, told)


def test_a_place_that_is_not_there_is_a_failed_backup() -> None:
    with pytest.raises(CommandError, match="is no directory"):
        call_command("backup", "/nowhere/now.zip")
    assert BackupRecord.objects.get().problem == "the file cannot be where it was told to be"


def test_without_a_table_to_write_to_it_is_only_said() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE gateway_backuprecord RENAME TO elsewhere")
    [said] = run()
    assert said.startswith("System health will not know of this backup: ")


def test_old_notes_go_and_failures_push_out_no_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "NOTES_KEPT", 2)
    run()
    for _ in range(3):
        with pytest.raises(OSError, match="full"):
            run(OSError("full"))
    assert list(BackupRecord.objects.order_by("pk").values_list("whole", flat=True)) == [True, False, False]
