"""What Postgres knows of the spool, and a copy of it for the time when Postgres is away.

The loader keeps the copy beside the spool. It may be a moment old: what was stored since then is still counted from its
files, as spooled, so that the sums stay right and `accepted` with them.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import msgspec
from django.db import connection

COPY_NAME = "books.copy"

BOOKS = """
SELECT 'segment', host, series, number, accepted, stored, dead, retired, NULL FROM gateway_spoolsegment
UNION ALL
SELECT 'series', host, series, 0, accepted, stored, dead, gone, dropped::text FROM gateway_spooltotal
UNION ALL
SELECT 'letters', state, '', 0, count(*), 0, 0, false, NULL FROM gateway_deadletter GROUP BY state
"""


class Books(msgspec.Struct):
    """What Postgres knows. Counts are (accepted, stored, dead)."""

    segments: dict[tuple[str, int], tuple[int, int, int, bool]] = {}
    """(series, number) -> counts and whether it is retired."""
    series: dict[str, tuple[int, int, int, bool]] = {}
    """Counts of the segments that are gone, and whether the series is."""
    dropped: dict[str, dict[str, int]] = {}
    hosts: dict[str, str] = {}
    letters: dict[str, int] = {}


def read_books() -> Books:
    books = Books()
    with connection.cursor() as cursor:
        cursor.execute(BOOKS)
        for kind, host, series, number, accepted, stored, dead, flag, dropped in cursor.fetchall():
            if kind == "letters":
                books.letters[host] = accepted
                continue
            books.hosts[series] = host
            if kind == "segment":
                books.segments[series, number] = (accepted, stored, dead, flag)
            else:
                books.series[series] = (accepted, stored, dead, flag)
                books.dropped[series] = json.loads(dropped)
    return books


def keep_copy(spool_dir: Path) -> None:
    """Read the books and write them beside the spool; a full disk keeps the copy before. Raises Django's Error."""
    data = msgspec.msgpack.encode(read_books())
    aside = spool_dir / f"{COPY_NAME}.new"
    with contextlib.suppress(OSError):
        aside.write_bytes(data)
        aside.replace(spool_dir / COPY_NAME)


def read_copy(spool_dir: Path) -> Books | None:
    """The copy, None when there is none that can be read."""
    try:
        return msgspec.msgpack.decode((spool_dir / COPY_NAME).read_bytes(), type=Books)
    except (OSError, msgspec.DecodeError):
        return None
