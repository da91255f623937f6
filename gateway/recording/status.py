"""The reconciliation line: accepted = stored + spooled + dropped, from the books and the files together.

The books (Postgres) are read in one statement, the files after it. A segment marked retired is counted by the books,
any other by its files; when a file is gone that the books still count by files, the loader was faster, and the books
are read again. `stored` includes dead letters that were replayed; those that wait or were discarded are dropped, by
that name.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import Error as DjangoDatabaseError

from gateway.recording.books import Books, read_books, read_copy
from gateway.recording.counters import Slot, dropped_by_reason, kept_by_policy, read_counters
from gateway.recording.frames import Kind, checksum_seed, salvage
from gateway.recording.quarantine import count_quarantined
from gateway.recording.series import is_alive, list_segments, list_series, spool_host, stubs_path

MOST_LOOKS = 20
FIRST_PAUSE_SECONDS = 0.005


class Outrun(Exception):
    """The loader moved something from the files to the books in between."""


@dataclass(slots=True)
class Status:
    """While the database is away the sums rest on the loader's copy of the books. Without one, `stored` and `balanced`
    are None, and `accepted` counts only what is in the spool."""

    accepted: int
    stored: int | None
    spooled: int
    dropped: dict[str, int]
    in_flight: int
    draining: bool
    quarantined: int
    dead_letters: int | None
    database: str
    balanced: bool | None
    recorder_faults: int = 0
    kept_as: dict[str, int] = field(default_factory=dict)
    """By the running processes, as a policy wants it: metadata, masked."""


def read_status(spool_dir: Path) -> Status:
    """The sums now, whether or not anything else runs."""
    for look in range(MOST_LOOKS):
        try:
            books = read_books()
        except DjangoDatabaseError:
            return without_books(spool_dir)
        try:
            return reconcile(spool_dir, books, strict=look < MOST_LOOKS - 1)
        except Outrun:
            time.sleep(look * FIRST_PAUSE_SECONDS)
    raise AssertionError("the last look is not strict")


def reconcile(spool_dir: Path, books: Books, *, strict: bool) -> Status:
    """Raises Outrun when files are gone that the books say are there, and `strict` is set. When they stay away, the
    books alone are believed, and what they miss shows as spooled."""
    live = live_state(spool_dir)
    on_disk = count_segments(spool_dir, books, strict=strict)
    ours = spool_host(spool_dir) if list_series(spool_dir) else ""
    stored = sum(counts[1] for counts in (*books.segments.values(), *books.series.values()))
    dead = sum(counts[2] for counts in (*books.segments.values(), *books.series.values()))
    accepted = sum(counts[0] for counts in books.series.values())
    spooled = 0
    for key in books.segments.keys() | on_disk.keys():
        booked, kept, lost, retired = books.segments.get(key, (0, 0, 0, False))
        if strict and not retired and key not in on_disk and books.hosts.get(key[0]) == ours:
            raise Outrun
        admitted = booked if retired else on_disk.get(key, booked)
        accepted += admitted
        spooled += admitted - kept - lost
    dropped = sum_dropped(live.dropped, books)
    letters = {"dead_letter": books.letters.get("waiting", 0), "discarded": books.letters.get("discarded", 0)}
    accepted += sum(dropped.values())
    dropped = add(dropped, {reason: count for reason, count in letters.items() if count})
    stored += books.letters.get("replayed", 0)
    return Status(
        accepted=accepted,
        stored=stored,
        spooled=spooled,
        dropped=dropped,
        in_flight=live.in_flight,
        draining=live.draining,
        quarantined=count_quarantined(spool_dir),
        dead_letters=letters["dead_letter"],
        database="up",
        balanced=spooled >= 0 and dead == sum(books.letters.values()) and accepted == balance(stored, spooled, dropped),
        recorder_faults=live.faults,
        kept_as=live.kept_as,
    )


def balance(stored: int, spooled: int, dropped: dict[str, int]) -> int:
    return stored + spooled + sum(dropped.values())


def without_books(spool_dir: Path) -> Status:
    """The sums while the database is away: by the loader's copy of the books, or by the spool alone."""
    copy = read_copy(spool_dir)
    if copy is not None:
        status = reconcile(spool_dir, copy, strict=False)
        status.database = "down"
        return status
    live = live_state(spool_dir)
    spooled = sum(count_segments(spool_dir, Books(), strict=False).values())
    dropped: dict[str, int] = {}
    for counts in live.dropped.values():
        dropped = add(dropped, counts)
    return Status(
        accepted=spooled + sum(dropped.values()),
        stored=None,
        spooled=spooled,
        dropped=dropped,
        in_flight=live.in_flight,
        draining=live.draining,
        quarantined=count_quarantined(spool_dir),
        dead_letters=None,
        database="down",
        balanced=None,
        recorder_faults=live.faults,
    )


@dataclass(slots=True)
class LiveState:
    """What the series' processes say of themselves; `in_flight` and `draining` only of those that live."""

    in_flight: int = 0
    draining: bool = False
    faults: int = 0
    kept_as: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)


def live_state(spool_dir: Path) -> LiveState:
    state = LiveState()
    for directory in list_series(spool_dir):
        counters = read_counters(directory)
        state.dropped[directory.name] = dropped_by_reason(counters)
        state.faults += counters[Slot.FAULTS] + counters[Slot.WRITER_FAULTS]
        if is_alive(directory):
            state.kept_as = add(state.kept_as, kept_by_policy(counters))
            state.in_flight += counters[Slot.IN_FLIGHT]
            state.draining = state.draining or bool(counters[Slot.DRAINING])
    return state


def count_segments(spool_dir: Path, books: Books, *, strict: bool) -> dict[tuple[str, int], int]:
    """Admissions in each segment that is on disk; retired ones need not be read."""
    counts = {}
    for directory in list_series(spool_dir):
        for number in list_segments(directory):
            key = (directory.name, number)
            known = books.segments.get(key)
            counts[key] = known[0] if known and known[3] else count_stubs(stubs_path(directory, number), strict=strict)
    return counts


def count_stubs(path: Path, *, strict: bool) -> int:
    """Intact admissions of a stubs file, damage stepped over. Raises Outrun when it is gone and `strict` is set."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if strict:
            raise Outrun from None
        return 0
    found = salvage(data, checksum_seed(path.parent.name))
    return sum(getattr(item, "kind", None) == Kind.ADMISSION for item in found)


def sum_dropped(live: dict[str, dict[str, int]], books: Books) -> dict[str, int]:
    """By reason: of a series that is gone from the books, of one that is there from its own counters."""
    total: dict[str, int] = {}
    for series in live.keys() | books.dropped.keys():
        gone = series in books.series and books.series[series][3]
        counts = books.dropped[series] if gone or series not in live else live[series]
        total = add(total, counts)
    return total


def add(counts: dict[str, int], more: dict[str, int]) -> dict[str, int]:
    return {reason: counts.get(reason, 0) + more.get(reason, 0) for reason in sorted(counts.keys() | more.keys())}


def as_object(status: Status) -> dict[str, Any]:
    """As `manage.py status --json` prints it."""
    return {name: getattr(status, name) for name in Status.__slots__}
