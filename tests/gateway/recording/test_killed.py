"""Processes killed without warning: every admission has a row, nothing is stored twice, the sums always agree."""

from __future__ import annotations

import datetime
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from gateway.history.store import rebuild_request
from gateway.history.sweeping import sweep
from gateway.models import RequestLog, StoredBody
from gateway.recording.loader import Loader
from gateway.recording.status import Status, read_status
from tests.gateway.recording.recording import record, wait_until, with_recorder

Start = Callable[..., subprocess.Popen[bytes]]
WRITER = ("-m", "tests.gateway.recording.writing_process")
KILLS = 6


def read_lines(process: subprocess.Popen[bytes], until: Callable[[list[str]], bool], seconds: float = 20) -> list[str]:
    """The process's output, line by line, until it says enough."""
    assert process.stdout is not None
    lines: list[str] = []
    deadline = time.monotonic() + seconds
    while not until(lines):
        assert time.monotonic() < deadline, lines[-5:]
        line = process.stdout.readline()
        assert line, f"the process ended with {process.poll()}: {lines[-5:]}"
        lines.append(line.decode().strip())
    return lines


def rest_of(process: subprocess.Popen[bytes]) -> list[str]:
    assert process.stdout is not None
    # A line is one write of fewer bytes than a pipe tears, so there are only whole ones.
    return [line.decode() for line in process.stdout.read().split(b"\n")]


def kept(lines: list[str]) -> set[str]:
    return {line.removeprefix("kept ") for line in lines if line.startswith("kept ")}


def assert_balanced(status: Status) -> None:
    assert status.accepted == (status.stored or 0) + status.spooled + sum(status.dropped.values())
    assert status.spooled >= 0
    assert status.balanced


def stored() -> set[str]:
    return {str(id) for id in RequestLog.objects.values_list("id", flat=True)}


@pytest.mark.django_db(transaction=True)
def test_a_killed_writer_leaves_a_row_for_every_admission(
    spool_dir: Path, start_process: Start, load: Callable[[], Loader]
) -> None:
    process = start_process(*WRITER, str(spool_dir))
    lines = read_lines(process, lambda lines: len(lines) > 250)
    process.kill()
    process.wait()
    lines += rest_of(process)
    admitted = kept(lines)
    status = read_status(spool_dir)
    assert status.spooled == len(admitted)
    assert_balanced(status)
    load()
    assert stored() == admitted
    interrupted = RequestLog.objects.filter(outcome="interrupted")
    assert 0 < interrupted.count() < len(admitted)
    assert set(interrupted.values_list("capture", flat=True)) == {"lost_crash"}
    # What was relayed earlier than the last batch is there: the oldest open stream has bytes.
    oldest = interrupted.order_by("id").first()
    assert StoredBody.objects.filter(id=oldest.id, part=StoredBody.Part.RESPONSE).exists()
    assert_balanced(read_status(spool_dir))


@pytest.mark.timeout(240)
def test_a_loader_killed_again_and_again_loses_nothing_and_stores_nothing_twice(
    spool_dir: Path, start_process: Start, database_url: str
) -> None:
    ids = with_recorder(
        spool_dir, lambda recorder: {record(recorder, body=turn(number)).id_text for number in range(2500)}
    )
    command = ("manage.py", "loader", "--spool", str(spool_dir))
    environment = {"DATABASE_URL": database_url}
    for _ in range(KILLS):
        before = RequestLog.objects.count()
        process = start_process(*command, environment=environment)
        wait_until(
            lambda before=before: RequestLog.objects.count() > before or RequestLog.objects.count() == len(ids), 60
        )
        assert_balanced(read_status(spool_dir))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert_balanced(read_status(spool_dir))
    process = start_process(*command, environment=environment)
    wait_until(lambda: read_status(spool_dir).spooled == 0, 60)
    process.terminate()
    assert process.wait(timeout=20) == 0
    assert stored() == ids
    assert StoredBody.objects.count() == 2 * len(ids)
    status = read_status(spool_dir)
    assert (status.accepted, status.stored) == (len(ids), len(ids))
    assert_balanced(status)
    # Every conversation is whole, and nothing lies about that no request refers to.
    in_order = sorted(ids)
    assert [rebuild_request(uuid.UUID(in_order[number])) for number in range(24, 2500, 50)] == [
        turn(number) for number in range(24, 2500, 50)
    ]
    month = datetime.datetime.now(datetime.UTC).date().replace(day=1)
    assert set(sweep(month, 0).values()) == {0}


def turn(number: int) -> bytes:
    """Of conversations of 25 turns, each of which says everything again."""
    said = [
        b'{"role":"user","content":"conversation %d says %d"}' % (number // 25, place)
        for place in range(number % 25 + 1)
    ]
    return b'{"model":"claude-opus-5-5","messages":[' + b",".join(said) + b"]}"


def test_the_sums_agree_at_every_moment_while_all_of_it_runs(
    spool_dir: Path, start_process: Start, database_url: str
) -> None:
    writer = start_process(*WRITER, str(spool_dir))
    loader = start_process("manage.py", "loader", "--spool", str(spool_dir), environment={"DATABASE_URL": database_url})
    seen: list[Status] = []

    def look() -> bool:
        seen.append(read_status(spool_dir))
        assert_balanced(seen[-1])
        return (seen[-1].stored or 0) > 300

    wait_until(look)
    assert [status.accepted for status in seen] == sorted(status.accepted for status in seen)
    writer.terminate()
    admitted = kept(read_lines(writer, lambda lines: lines[-1:] == ["stopped"]))
    assert writer.wait(timeout=20) == 0
    wait_until(lambda: look() and seen[-1].spooled == 0)
    loader.terminate()
    assert loader.wait(timeout=40) == 0
    assert stored() == admitted
    assert {status.database for status in seen} == {"up"}


def test_on_sigterm_the_loader_empties_the_spool_first(
    spool_dir: Path, start_process: Start, database_url: str
) -> None:
    ids = with_recorder(spool_dir, lambda recorder: {record(recorder).id_text for _ in range(1500)})
    loader = start_process("manage.py", "loader", "--spool", str(spool_dir), environment={"DATABASE_URL": database_url})
    wait_until(lambda: RequestLog.objects.exists())
    loader.terminate()
    assert loader.wait(timeout=40) == 0
    assert stored() == ids


def test_the_loader_stands_back_for_those_who_relay(spool_dir: Path, start_process: Start, database_url: str) -> None:
    loader = start_process("manage.py", "loader", "--spool", str(spool_dir), environment={"DATABASE_URL": database_url})
    with_recorder(spool_dir, record)
    wait_until(lambda: RequestLog.objects.count() == 1)
    assert os.getpriority(os.PRIO_PROCESS, loader.pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)


def test_a_second_loader_waits_for_the_first(spool_dir: Path, start_process: Start, database_url: str) -> None:
    command = ("manage.py", "loader", "--spool", str(spool_dir))
    first = start_process(*command, environment={"DATABASE_URL": database_url})
    with_recorder(spool_dir, record)
    wait_until(lambda: RequestLog.objects.count() == 1)
    second = start_process(*command, environment={"DATABASE_URL": database_url})
    with_recorder(spool_dir, record)
    wait_until(lambda: RequestLog.objects.count() == 2)
    assert second.poll() is None
    first.kill()
    first.wait()
    with_recorder(spool_dir, record)
    wait_until(lambda: RequestLog.objects.count() == 3)
    second.terminate()
    assert second.wait(timeout=40) == 0


def test_the_loader_outlives_the_database_going_away(spool_dir: Path, start_process: Start, database_url: str) -> None:
    loader = start_process("manage.py", "loader", "--spool", str(spool_dir), environment={"DATABASE_URL": database_url})
    with_recorder(spool_dir, record)
    wait_until(lambda: RequestLog.objects.count() == 1)
    for count in (2, 3, 4):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        with_recorder(spool_dir, record)
        wait_until(lambda count=count: RequestLog.objects.count() == count)
    loader.terminate()
    assert loader.wait(timeout=40) == 0
    assert_balanced(read_status(spool_dir))


@pytest.mark.parametrize("policy", ["available", "strict"])
@pytest.mark.django_db(transaction=True)
def test_a_full_disk_is_counted_and_recording_resumes_when_there_is_room(
    spool_dir: Path, start_process: Start, load: Callable[[], Loader], policy: str
) -> None:
    process = start_process(*WRITER, str(spool_dir), "20000", policy)
    lines = read_lines(process, lambda lines: "full" in lines)
    os.kill(process.pid, signal.SIGUSR1)
    lines += read_lines(process, lambda lines: "room" in lines)
    lines += read_lines(process, lambda lines: len(kept(lines)) > 100)
    process.terminate()
    lines += read_lines(process, lambda lines: lines[-1:] == ["stopped"])
    assert process.wait(timeout=20) == 0
    dropped = sum(line.startswith("dropped ") for line in lines)
    assert read_status(spool_dir).dropped == ({"disk_full": dropped} if dropped else {})
    assert (dropped == 0) == (policy == "strict")
    load()
    assert stored() == kept(lines)
    status = read_status(spool_dir)
    assert (status.accepted, status.stored, status.quarantined) == (len(kept(lines)) + dropped, len(kept(lines)), 0)
    assert_balanced(status)
    assert set(RequestLog.objects.values_list("capture", flat=True)) == {"full", "lost_disk"}
