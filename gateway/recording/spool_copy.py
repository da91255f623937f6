"""The spool as it is at one moment, for a backup, and the books put right where a restored spool lacks what they count.

While `settled_books` is held the loader can commit nothing: no exchange moves from the files to the tables, and what it
removes from the disk was in the tables before. A snapshot of the database taken meanwhile and the files read meanwhile
therefore hold every exchange admitted before, in one of the two or, harmlessly, in both. Web processes go on writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from gateway.recording.counters import FILE_NAME as COUNTERS_NAME
from gateway.recording.frames import Frame, checksum_seed, salvage
from gateway.recording.ledger import Ledger
from gateway.recording.series import (
    HOST_NAME,
    LOCK_NAME,
    QUARANTINE_NAME,
    SegmentKey,
    frames_path,
    list_segments,
    list_series,
    stubs_path,
)

NOT_IN_BACKUP = "not_in_backup"
"""Why exchanges are dropped that were in a spool which the backup does not hold."""

OPEN_SEGMENTS = """
SELECT series, number, accepted - stored - dead FROM gateway_spoolsegment WHERE host = ANY(%s) AND NOT retired
"""
NOTE_DROPPED = """
INSERT INTO gateway_spooltotal (host, series, accepted, stored, dead, dropped, telemetry, gone, updated_at)
VALUES (%s, %s, 0, 0, 0, %s, '{}', true, now())
"""


@contextmanager
def settled_books(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Keep the loader from committing; it waits, the spool holds, and readers go on."""
    with connection.transaction():
        connection.execute("LOCK TABLE gateway_spoolsegment, gateway_spooltotal IN SHARE MODE")
        yield


def spool_files(spool_dir: Path) -> Iterator[tuple[str, bytes]]:
    """(name below the spool, contents) of everything a loader needs. Segments end with their last whole frame: what a
    process is writing just now is not damage. Frames are read before the stubs they belong to."""
    if (spool_dir / HOST_NAME).exists():
        yield HOST_NAME, (spool_dir / HOST_NAME).read_bytes()
    for path in quarantined(spool_dir):
        yield f"{QUARANTINE_NAME}/{path.name}", path.read_bytes()
    for directory in list_series(spool_dir):
        yield from series_files(directory)


def quarantined(spool_dir: Path) -> list[Path]:
    folder = spool_dir / QUARANTINE_NAME
    return sorted(path for path in folder.iterdir() if path.name[0] != ".") if folder.exists() else []


def series_files(directory: Path) -> Iterator[tuple[str, bytes]]:
    seed = checksum_seed(directory.name)
    yield f"{directory.name}/{LOCK_NAME}", b""
    for path_of in (frames_path, stubs_path):
        for number in list_segments(directory):
            path = path_of(directory, number)
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            ends = [item.end for item in salvage(data, seed) if isinstance(item, Frame)]
            yield f"{directory.name}/{path.name}", data[: ends[-1] if ends else 0]
    counters = directory / COUNTERS_NAME
    if counters.exists():
        yield f"{directory.name}/{COUNTERS_NAME}", counters.read_bytes()


def settle_missing(connection: psycopg.Connection[Any], spool_dir: Path, hosts: list[str]) -> int:
    """Close the books over segments of these hosts that are in no file; returns how many exchanges that drops."""
    on_disk = {(directory.name, number) for directory in list_series(spool_dir) for number in list_segments(directory)}
    with connection.transaction():
        rows = connection.execute(OPEN_SEGMENTS, [hosts]).fetchall()
        missing = [row for row in rows if (row[0], row[1]) not in on_disk]
        ledger = Ledger(connection, hosts[0] if hosts else "")
        for series, number, _ in missing:
            ledger.retire(SegmentKey(series, number))
            ledger.fold(SegmentKey(series, number))
        lost: int = sum(row[2] for row in missing)
        if lost:
            name = f"restored-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
            connection.execute(NOTE_DROPPED, [hosts[0], name, Jsonb({NOT_IN_BACKUP: lost})])
    return lost
