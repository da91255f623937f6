"""The distinct values of an indexed column, found by hopping from value to value along its index.

`SELECT DISTINCT` would read every row; this reads one row for each value, so a filter's choices cost the same on a
thousand rows as on millions. The ORM has no recursive queries, hence the SQL; names are quoted, values are parameters.
"""

from __future__ import annotations

from typing import Any, cast

from django.db import connection
from django.db.models import Field
from psycopg import sql

from gateway.history.visibility import Sight
from gateway.models import RequestLog

CHOICES_SHOWN = 100
NEWEST_LOOKED_AT = 10_000

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


def values_seen(name: str, sight: Sight) -> list[Any]:
    """`distinct_values`; for those who see only some teams, the values of the newest requests they may see."""
    if sight.figures is None:
        return distinct_values(name)
    newest = sight.listed().order_by("-id").values("id")[:NEWEST_LOOKED_AT]
    values = RequestLog.objects.filter(id__in=newest, **{f"{name}__isnull": False}).order_by(name)
    return list(values.values_list(name, flat=True).distinct()[:CHOICES_SHOWN])
