"""The migration operations that make history tables, partitioned by month, with no partition yet, and index them."""

from __future__ import annotations

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Index
from psycopg import sql

PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass ORDER BY c.relname
"""


class CreatePartitionedModel(migrations.CreateModel):
    """Django's CreateModel, whose table is `PARTITION BY RANGE (id)`, or by the column `key` names."""

    key = "id"

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        plain = schema_editor.sql_create_table
        schema_editor.sql_create_table = f"{plain} PARTITION BY RANGE ({self.key})"
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        finally:
            schema_editor.sql_create_table = plain


class CreateMonthlyModel(CreatePartitionedModel):
    """Partitioned by its column `month`."""

    key = "month"


class AddPartitionedIndex(migrations.AddIndex):
    """Django's AddIndex for a partitioned table that is in use: each partition's index is built concurrently, then
    attached. Its migration must not be atomic; when it was broken off it can be run again."""

    index: Index
    model_name: str

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        parent, name = model._meta.db_table, self.index.name
        statement = str(self.index.create_sql(model, schema_editor))
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [name])
            if cursor.fetchone() == (None,):
                cursor.execute(statement.replace(f' ON "{parent}"', f' ON ONLY "{parent}"', 1))
            cursor.execute(PARTITIONS, [parent])
            for (partition,) in cursor.fetchall():
                self._index_partition(cursor, statement, parent, partition)

    def _index_partition(self, cursor: Any, statement: str, parent: str, partition: str) -> None:
        name = f"{partition}_{self.index.name.partition('_')[2]}"[:63]
        cursor.execute("SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(%s)", [name])
        if cursor.fetchone():
            return
        cursor.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}").format(sql.Identifier(name)))
        built = statement.replace(f' ON "{parent}"', f' ON "{partition}"', 1)
        built = built.replace(f'CREATE INDEX "{self.index.name}"', f'CREATE INDEX CONCURRENTLY "{name}"', 1)
        cursor.execute(built)
        attach = sql.SQL("ALTER INDEX {} ATTACH PARTITION {}")
        cursor.execute(attach.format(sql.Identifier(self.index.name), sql.Identifier(name)))
