"""The release before may go on writing while, and after, the database is migrated: it knows none of the new columns."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import pytest
from django.db import connection, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import AddField

from gateway.history.partitions import create_partitions

pytestmark = pytest.mark.django_db
FIRST = ("gateway", "0001_initial")
LAST_WITHOUT = ("gateway", "0022_ascending_indexes")
"""Nothing was released before it."""
WRITTEN = ("requestlog", "responselog", "chunktiming", "headerrecord", "ratelimitsample", "storedbody")
VALUES: dict[type[models.Field[Any, Any]], Any] = {
    models.UUIDField: uuid.UUID(int=0x019A_0000_0000_7000_8000_0000_0000_0001),
    models.DateTimeField: datetime.datetime(2025, 10, 20, tzinfo=datetime.UTC),
    models.TextField: "x",
    models.BinaryField: b"x",
    models.JSONField: "{}",
    models.BooleanField: True,
}


def first_columns(model: str) -> dict[str, Any]:
    """What the first release writes into a row, by column."""
    state = MigrationLoader(connection).project_state([FIRST]).apps.get_model("gateway", model)
    fields = [field for field in state._meta.local_fields if field.column]
    return {field.column: value_for(field) for field in fields if not field.null}


def value_for(field: models.Field[Any, Any]) -> Any:
    if field.is_relation:
        return VALUES[models.UUIDField]
    for kind, value in VALUES.items():
        if isinstance(field, kind):
            return value
    return [] if field.get_internal_type() == "ArrayField" else 1


@pytest.mark.parametrize("model", WRITTEN)
def test_the_first_release_can_still_write_its_rows(model: str) -> None:
    columns = first_columns(model)
    with connection.cursor() as cursor:
        create_partitions(cursor, [datetime.date(2025, 10, 1), datetime.date(2025, 11, 1)])
        places = ", ".join(["%s"] * len(columns))
        cursor.execute(f"INSERT INTO gateway_{model} ({', '.join(columns)}) VALUES ({places})", list(columns.values()))
        assert cursor.rowcount == 1


def test_what_the_first_release_reads_is_still_there() -> None:
    with connection.cursor() as cursor:
        for model in WRITTEN:
            state = MigrationLoader(connection).project_state([FIRST]).apps.get_model("gateway", model)
            names = ", ".join(field.column for field in state._meta.local_fields if field.column)
            cursor.execute(f"SELECT {names} FROM gateway_{model} LIMIT 1")


def test_what_is_added_to_a_table_has_a_default_in_the_database() -> None:
    """Else the release before cannot write the table while the two run side by side."""
    found = [
        f"{name}: {operation.model_name}.{operation.name}"
        for (app, name), migration in MigrationLoader(connection).disk_migrations.items()
        if app == "gateway" and (app, name) > LAST_WITHOUT
        for operation in migration.operations
        if isinstance(operation, AddField)
        and not (operation.field.null or operation.field.many_to_many or operation.field.has_db_default())
    ]
    assert not found
