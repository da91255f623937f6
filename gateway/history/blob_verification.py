"""Proves what is stored once: every blob against the digest it goes by, and that all of it is referred to.

Blobs are read by their keys, a bounded number of bytes at a time. What refers to them is marked as a sweep does it, in
one snapshot for each month and team, so that it may run beside a loader.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.db import connection, transaction

from gateway.history.digests import Digests
from gateway.history.months import existing_months
from gateway.history.packing import Damaged, unpack
from gateway.history.partitions import first_id, next_month
from gateway.history.sweeping import SWEPT, TEMPORARY, drop, mark_live
from gateway.models import Scope
from gateway.models.at_rest import key_of

KEYS_AT_ONCE = 1000
BYTES_AT_ONCE = 16 * 1024 * 1024
KEYS = """
SELECT digest, size FROM gateway_blob WHERE month = %s AND scope = %s AND digest > %s ORDER BY digest LIMIT %s
"""
DATA = "SELECT digest, size, data FROM gateway_blob WHERE month = %s AND scope = %s AND digest = ANY(%b)"
HOLDS_SOMETHING = "SELECT EXISTS (SELECT FROM gateway_blob WHERE month = %s AND scope = %s)"
ASTRAY = """
SELECT (SELECT count(*) FROM {table} kept WHERE month = %(month)s AND scope = %(scope)s
        AND NOT EXISTS (SELECT FROM {live} live WHERE live.digest = kept.digest)),
       (SELECT count(*) FROM {live} live WHERE NOT EXISTS (
            SELECT FROM {table} kept
            WHERE kept.month = %(month)s AND kept.scope = %(scope)s AND kept.digest = live.digest))
"""
NAMES = {"gateway_blob": "blobs", "gateway_manifestpage": "pages of manifests", "gateway_node": "nodes"}


class Place(NamedTuple):
    month: datetime.date
    scope: int
    team: str

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.team or 'no team'}"


def places() -> Iterator[Place]:
    """Months and teams with blobs, the oldest first."""
    scopes = {0: ""} | dict(Scope.objects.values_list("id", "team"))
    for month in existing_months():
        for scope, team in sorted(scopes.items()):
            with connection.cursor() as cursor:
                cursor.execute(HOLDS_SOMETHING, [month, scope])
                if cursor.fetchone()[0]:
                    yield Place(month, scope, team)


def blobs_of(place: Place) -> Iterator[list[tuple[bytes, int, bytes]]]:
    """Digest, size and data as stored, some at a time."""
    last = b""
    while keys := fetch(KEYS, [place.month, place.scope, last, KEYS_AT_ONCE]):
        for group in bounded(keys):
            yield fetch(DATA, [place.month, place.scope, group])
        last = bytes(keys[-1][0])


def bounded(keys: Iterable[Any]) -> Iterator[list[bytes]]:
    """Digests whose blobs together are not much more than BYTES_AT_ONCE."""
    group: list[bytes] = []
    total = 0
    for digest, size in keys:
        group.append(bytes(digest))
        total += size
        if total >= BYTES_AT_ONCE:
            yield group
            group, total = [], 0
    if group:
        yield group


def wrong_with(digest: bytes, size: int, data: bytes) -> str | None:
    """What is wrong with a blob; None when it holds what it is called by."""
    try:
        plain = unpack(data, size)
    except Damaged as damage:
        return str(damage)
    key = key_of(data)
    if Digests(key.digests if key else None).blob(plain) != digest:
        return "the bytes do not have the digest they are stored under"
    return None


def astray(place: Place) -> Iterator[str]:
    """What nobody refers to, and what is referred to and is not there."""
    values = {
        "month": place.month,
        "scope": place.scope,
        "first": first_id(place.month),
        "beyond": first_id(next_month(place.month)),
    }
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                mark_live(cursor, values)
                found = [(table, count(cursor, table, live, values)) for table, live in SWEPT]
        finally:
            drop(cursor, *TEMPORARY)
    for table, (unreferenced, missing) in found:
        if unreferenced:
            yield f"{unreferenced} {NAMES[table]} that nothing refers to; `manage.py history sweep` removes them"
        if missing:
            yield f"{missing} {NAMES[table]} are referred to and are not there"


def count(cursor: Any, table: str, live: str, values: dict[str, Any]) -> tuple[int, int]:
    cursor.execute(ASTRAY.format(table=table, live=live), values)
    unreferenced, missing = cursor.fetchone()
    return unreferenced, missing


def fetch(statement: str, values: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [(bytes(digest), *rest) for digest, *rest in cursor.fetchall()]
