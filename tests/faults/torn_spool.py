"""Damage a spool in many ways and load each: `python -m tests.faults.torn_spool SPOOL TIMES`.

Runs in the environment of a gateway, against its PostgreSQL, in a database of its own. For each damage the expectation
is worked out from the bytes alone: which frames end before the damage or begin behind it.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

import django

KINDS = "[sf]*"
TABLES = "gateway_requestlog, gateway_responselog, gateway_chunktiming, gateway_headerrecord, gateway_ratelimitsample, \
gateway_storedbody, gateway_spoolsegment, gateway_spooltotal, gateway_deadletter"


def main(spool: Path, times: int) -> str:
    from django.db import connection

    from gateway.recording.quarantine import count_quarantined
    from gateway.recording.status import read_status

    own_database()
    chance = random.Random(20_251_121)
    whole = intact(spool)
    quarantined = lost = 0
    for number in range(times):
        with tempfile.TemporaryDirectory() as directory:
            copy = Path(directory) / "spool"
            shutil.copytree(spool, copy)
            path, place, is_cut = damage(copy, chance)
            expected = intact(copy)
            with connection.cursor() as cursor:
                cursor.execute(f"TRUNCATE {TABLES}")
            load(copy)
            stored = rows()
            told = f"damage {number}, {path.name} at {place}, {'cut' if is_cut else 'flipped'}"
            assert expected.keys() <= stored.keys(), f"{told}: {len(expected.keys() - stored.keys())} intact ones lost"
            assert stored.keys() <= whole.keys(), f"{told}: rows that never were"
            for identifier, frames in expected.items():
                if frames == whole[identifier]:
                    assert stored[identifier] == "completed", f"{told}: an untouched one is {stored[identifier]}"
            status = read_status(copy)
            assert status.balanced, f"{told}: the line is wrong: {status}"
            quarantined += count_quarantined(copy) > 0
            lost += len(whole.keys() - stored.keys())
    told = f"{quarantined} with a quarantine, {lost} admissions unreadable"
    return f"{times} damaged spools of {len(whole)} exchanges, {told}"


def own_database() -> None:
    """Rows go to a copy of the database, so that those of the gateway stay."""
    from django.db import connection, connections

    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS torn WITH (FORCE)")
        cursor.execute("CREATE DATABASE torn STRATEGY FILE_COPY TEMPLATE template0")
    settings = connections["default"].settings_dict
    connection.close()
    settings["NAME"] = "torn"
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def damage(spool: Path, chance: random.Random) -> tuple[Path, int, bool]:
    """Cut the last segment of one file short, or flip a bit in it."""
    from gateway.recording.series import frames_path, list_segments, list_series, stubs_path

    paths = [
        make(series, list_segments(series)[-1])
        for series in list_series(spool)
        if list_segments(series)
        for make in (stubs_path, frames_path)
    ]
    path = chance.choice([path for path in paths if path.exists() and path.stat().st_size])
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    is_cut = chance.random() < 0.5
    if is_cut:
        del data[place:]
    else:
        data[place] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    return path, place, is_cut


def intact(spool: Path) -> dict[str, int]:
    """Exchange id -> number of its intact frames, of those whose admission is intact."""
    from gateway.recording.frames import Kind, checksum_seed, salvage
    from gateway.recording.series import frames_path, list_segments, list_series, stubs_path

    counts: dict[bytes, int] = {}
    admitted = set()
    for series in list_series(spool):
        seed = checksum_seed(series.name)
        for number in list_segments(series):
            for path in (stubs_path(series, number), frames_path(series, number)):
                data = path.read_bytes() if path.exists() else b""
                for frame in salvage(data, seed):
                    if not hasattr(frame, "kind"):
                        continue
                    counts[frame.exchange_id] = counts.get(frame.exchange_id, 0) + 1
                    if frame.kind == Kind.ADMISSION:
                        admitted.add(frame.exchange_id)
    return {identifier.hex(): counts[identifier] for identifier in admitted}


def load(spool: Path) -> None:
    from gateway.recording.loader import Loader

    loader = Loader(spool)
    for _ in range(20):
        if not loader.round():
            break
    loader.close()


def rows() -> dict[str, str]:
    from gateway.models import RequestLog

    return {row.hex: outcome for row, outcome in RequestLog.objects.values_list("id", "outcome")}


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "proxy_project.settings"
    os.environ["TURNLOG_LOG_LEVEL"] = "error"
    django.setup()
    sys.stdout.write(main(Path(sys.argv[1]), int(sys.argv[2])))
