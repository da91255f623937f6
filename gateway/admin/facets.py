"""The distinct values of an indexed column, found by hopping from value to value along its index.

`SELECT DISTINCT` would read every row; this reads one row for each value, so a filter's choices cost the same on a
thousand rows as on millions. The ORM has no recursive queries, hence the SQL; names are quoted, values are parameters.
"""

from __future__ import annotations

from typing import Any, cast

from django.db import connection
from django.db.models import Field
from psycopg import sql

from gateway.models import RequestLog

CHOICES_SHOWN = 100

HOPS = sql.SQL(
    """
    WITH RECURSIVE hop(value) AS (
        (SELECT {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY {column} LIMIT 1)
        UNION ALL
        SELECT (SELECT {column} FROM {table} WHERE {column} > hop.value ORDER BY {column} LIMIT 1)
        FROM hop WHERE hop.value IS NOT NULL
    )
    SELECT value FROM hop WHERE value IS NOT NULL LIMIT %s
    """
)


def distinct_values(name: str, limit: int = CHOICES_SHOWN) -> list[Any]:
    """The first `limit` values, in order, of a column of RequestLog that leads an index. Null is left out."""
    # Only real fields get here: get_field raises FieldDoesNotExist for any other name.
    field = cast("Field[Any, Any]", RequestLog._meta.get_field(name))
    query = HOPS.format(column=sql.Identifier(str(field.column)), table=sql.Identifier(RequestLog._meta.db_table))
    with connection.cursor() as cursor:
        cursor.execute(query, [limit])
        return [row[0] for row in cursor.fetchall()]
