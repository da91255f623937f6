"""A row that one worker works on, held by a lock of its database session, which goes with a worker that is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def held(lock: int, pk: int) -> Iterator[bool]:
    """Whether nobody else works on it; nobody will until the block ends, or this session. `lock` names the table."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [lock, pk % 2**31])
        is_ours = bool(cursor.fetchone()[0])
        try:
            yield is_ours
        finally:
            if is_ours:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [lock, pk % 2**31])
