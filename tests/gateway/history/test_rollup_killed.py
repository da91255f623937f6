"""Rollups in a process that is killed without warning, again and again: the sums stay those of the turns."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from gateway.history.rollups import mark_range
from gateway.models import RollupDue
from tests.exchanges import keep
from tests.gateway.history.test_rollups import agree, some_turns

ROOT = Path(__file__).resolve().parents[3]
KILLS = 3
DAYS = 20


def test_killed_in_the_middle_of_summing_up_no_sum_changes(database_url: str) -> None:
    keep(some_turns(400, DAYS))
    hours = 0
    for number in range(KILLS):
        command = [sys.executable, "manage.py", "rollups", "run"]
        environment = os.environ | {"DATABASE_URL": database_url, "TURNLOG_SUPERVISED": "1"}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        left = RollupDue.objects.count()
        while RollupDue.objects.count() == left and process.poll() is None:
            time.sleep(0.002)
        time.sleep(0.007 * number)
        process.kill()
        process.wait(timeout=20)
        hours += mark_range() if number == 1 else 0
    assert hours > DAYS
    assert RollupDue.objects.exists(), "every run had ended before it was killed"
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    agree()
    assert not RollupDue.objects.exists()
