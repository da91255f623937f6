"""`manage.py status` works whatever else does, and is honest about what it cannot know."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.models import SpoolTotal
from gateway.recording.books import COPY_NAME, read_copy
from gateway.recording.loader import Loader
from gateway.recording.status import read_status
from tests.gateway.recording.recording import living_recorder, record, with_recorder, write_out


def status_of(start: Callable[..., subprocess.Popen[bytes]], spool_dir: Path, url: str) -> dict[str, Any]:
    process = start("manage.py", "status", "--json", "--spool", str(spool_dir), environment={"DATABASE_URL": url})
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return dict(json.loads(output))


def test_without_a_database_stored_is_unknown(
    spool_dir: Path, start_process: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    with_recorder(spool_dir, record)
    status = status_of(start_process, spool_dir, f"postgresql://nobody@/nothing?host={tmp_path}")
    assert (status["accepted"], status["spooled"], status["stored"]) == (1, 1, None)
    assert (status["database"], status["balanced"], status["dead_letters"]) == ("down", None, None)


def test_without_a_database_the_line_rests_on_the_loaders_copy_of_the_books(
    spool_dir: Path, load: Callable[[], Loader], start_process: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    for _ in range(3):
        with_recorder(spool_dir, record)
    load()
    with_recorder(spool_dir, record)
    status = status_of(start_process, spool_dir, f"postgresql://nobody@/nothing?host={tmp_path}")
    assert (status["accepted"], status["stored"], status["spooled"]) == (4, 3, 1)
    assert (status["database"], status["balanced"]) == ("down", True)


def test_a_copy_that_is_damaged_is_not_believed(spool_dir: Path) -> None:
    spool_dir.mkdir(parents=True, exist_ok=True)
    (spool_dir / COPY_NAME).write_bytes(b"\x81\xff")
    assert read_copy(spool_dir) is None


def test_the_command_prints_every_part_of_the_line(
    spool_dir: Path, start_process: Callable[..., subprocess.Popen[bytes]], database_url: str
) -> None:
    with_recorder(spool_dir, record)
    assert status_of(start_process, spool_dir, database_url) == {
        "accepted": 1,
        "stored": 0,
        "spooled": 1,
        "dropped": {},
        "in_flight": 0,
        "draining": False,
        "quarantined": 0,
        "dead_letters": 0,
        "database": "up",
        "balanced": True,
        "kept_as": {},
        "recorder_faults": 0,
    }


@pytest.mark.django_db(transaction=True)
def test_a_spool_that_was_never_used_is_all_zeros(spool_dir: Path) -> None:
    status = read_status(spool_dir)
    assert (status.accepted, status.stored, status.spooled, status.balanced) == (0, 0, 0, True)


@pytest.mark.django_db(transaction=True)
def test_requests_served_without_a_record_stay_counted_after_their_process(
    spool_dir: Path, load: Callable[[], Loader]
) -> None:
    with living_recorder(spool_dir) as recorder:
        recorder.spool.refusal = "disk_full"
        record(recorder)
        record(recorder)
        recorder.spool.refusal = None
        recorder.count_telemetry("logs")
        record(recorder)
        write_out(recorder)
        recorder.set_draining(True)
        status = read_status(spool_dir)
        assert (status.accepted, status.dropped, status.draining) == (3, {"disk_full": 2}, True)
    load()
    status = read_status(spool_dir)
    assert (status.accepted, status.stored, status.dropped, status.balanced) == (3, 1, {"disk_full": 2}, True)
    assert not status.draining
    total = SpoolTotal.objects.get()
    assert (total.gone, total.telemetry, list(spool_dir.glob("0*"))) == (True, {"logs": 1}, [])


@pytest.mark.django_db(transaction=True)
def test_files_that_were_taken_away_show_as_spooled(spool_dir: Path, load: Callable[[], Loader]) -> None:
    with living_recorder(spool_dir) as recorder:
        record(recorder)
        record(recorder, finish=False)
        write_out(recorder)
        load()
        stubs = next(spool_dir.glob("*/000001.stubs"))
        stubs.rename(spool_dir / "taken")
        status = read_status(spool_dir)
        (spool_dir / "taken").rename(stubs)
    assert (status.stored, status.balanced) == (1, False)
