"""Names and places in the spool: series (one directory for each `web` process) and their segments.

    spool/host                     the spool's own name, made once
    spool/loader.lock              held by the one loader
    spool/quarantine/              damaged bytes, kept for a person to look at
    spool/<series>/lock            held by the process that writes the series, as long as it lives
    spool/<series>/counters        see counters.py
    spool/<series>/000001.stubs    admissions, written before the provider is contacted
    spool/<series>/000001.frames   what became of them, a batch every 100 ms

A segment is closed, and never written again, when the next one's frames file exists or the process is gone: the writer
makes the next stubs file, moves over to it, and only then makes the next frames file.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import uuid_utils

SERIES_NAME = re.compile(r"[0-9a-f]{32}")
SEGMENT_NAME = re.compile(r"(\d{6,})\.(stubs|frames)")
LOCK_NAME = "lock"
HOST_NAME = "host"
QUARANTINE_NAME = "quarantine"


class SegmentKey(NamedTuple):
    series: str
    number: int


def stubs_path(directory: Path, number: int) -> Path:
    return directory / f"{number:06d}.stubs"


def frames_path(directory: Path, number: int) -> Path:
    return directory / f"{number:06d}.frames"


def create_series(spool_dir: Path) -> tuple[Path, int]:
    """A new series' directory and the descriptor of its lock, held. It appears under its name only once it is locked,
    so that a loader never takes it for a dead one. Raises OSError."""
    spool_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = uuid_utils.uuid7().hex
    aside = spool_dir / f".{name}.new"
    aside.mkdir(mode=0o700)
    try:
        lock = os.open(aside / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        aside.rmdir()
        raise
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        aside.rename(spool_dir / name)
    except OSError:
        os.close(lock)
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return spool_dir / name, lock


def is_alive(directory: Path) -> bool:
    """True while the process that writes the series holds its lock."""
    try:
        descriptor = os.open(directory / LOCK_NAME, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def list_series(spool_dir: Path) -> list[Path]:
    """Directories of all series, oldest first."""
    try:
        entries = os.listdir(spool_dir)
    except FileNotFoundError:
        return []
    return [spool_dir / name for name in sorted(entries) if SERIES_NAME.fullmatch(name)]


def list_segments(directory: Path) -> list[int]:
    """Numbers of the segments that have at least one file, oldest first; empty when the series is gone."""
    return sorted({number for number, _ in segment_files(directory)})


def segment_files(directory: Path) -> Iterator[tuple[int, str]]:
    """(number, `stubs` or `frames`) of each segment file there is."""
    try:
        entries = os.listdir(directory)
    except FileNotFoundError:
        return
    for entry in entries:
        match = SEGMENT_NAME.fullmatch(entry)
        if match:
            yield int(match[1]), match[2]


def spool_bytes(spool_dir: Path) -> int:
    """Bytes of all segment files of the spool."""
    total = 0
    for directory in list_series(spool_dir):
        for number, suffix in segment_files(directory):
            try:
                total += (directory / f"{number:06d}.{suffix}").stat().st_size
            except FileNotFoundError:
                continue
    return total


def spool_host(spool_dir: Path) -> str:
    """The spool's name in the ledger: the host's and random digits, made by whoever comes first. Raises OSError."""
    path = spool_dir / HOST_NAME
    if not path.exists():
        spool_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside = spool_dir / f".{HOST_NAME}.{secrets.token_hex(8)}"
        aside.write_text(f"{socket.gethostname()}-{secrets.token_hex(4)}\n")
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        finally:
            aside.unlink()
    return path.read_text().strip()
