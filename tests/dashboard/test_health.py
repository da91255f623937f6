"""The page that says whether the numbers can be trusted."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from gateway.models import BackupRecord, RetentionTerm, RollupDue
from gateway.version import VERSION
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db

TELL = """
INSERT INTO gateway_processgauges (process, role, host, began_at, told_at, gauges)
VALUES (%s, %s, 'here', now(), now(), %s)
"""


def tell(role: str, **gauges: float) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            TELL, [f"{role} here:1", role, json.dumps([[name, value, {}] for name, value in gauges.items()])]
        )


def words() -> str:
    page = html.unescape(client_of("ops").get("/d/health/").content.decode()).replace("\N{EN DASH}", "-")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split('id="health"')[1]))


def test_each_process_says_how_late_its_loop_is_and_what_it_takes() -> None:
    tell(
        "web",
        event_loop_lag_seconds=0.0125,
        process_resident_memory_bytes=161_000_000,
        process_open_connections=17,
        process_uptime_seconds=95,
    )
    assert re.search(r"web here:1 12 ms 161 MB 17 95\.0 s", words())


def test_what_nobody_says_is_a_dash_and_what_is_said_is_summed_up() -> None:
    assert "Spool on disk - of all hosts" in words()
    tell("loader", spool_bytes=2_500_000, spool_oldest_seconds=4)
    assert "Spool on disk 2.5 MB of all hosts" in words()
    assert "Oldest not stored 4.0 s" in words()
    assert "loader here:1 - - - -" in words(), "it has no event loop"


def test_a_worker_that_does_not_keep_up_is_seen() -> None:
    assert "nothing waits for it" in words()
    RollupDue.objects.create(hour=timezone.now())
    assert "keeps up" in words()
    RollupDue.objects.update(marked_at=timezone.now() - timedelta(minutes=3))
    assert re.search(r"sums are late 3 min", words())


def test_months_that_should_have_gone_are_seen() -> None:
    keep([Sample({"model": "m"}, at=timezone.now() - timedelta(days=100))])
    assert "everything is kept, since" in words()
    RetentionTerm.objects.create(days=30)
    assert "months are there that should have gone 30 days, since" in words()


def backed_up(hours: float, **changes: Any) -> None:
    ended = timezone.now() - timedelta(hours=hours)
    fields = {"whole": True, "size": 1_200_000_000, "with_spool": True, "with_secrets": False} | changes
    BackupRecord.objects.create(began_at=ended - timedelta(seconds=40), ended_at=ended, **fields)


def test_the_last_backup_is_told_with_its_size_and_time() -> None:
    assert "Last backup none is known of see manage.py backup" in words()
    backed_up(3, with_spool=False, with_secrets=True)
    assert "Last backup 3 h ago , 1.2 GB, took 40.0 s, of the database alone, with secrets" in words()


def test_a_backup_of_long_ago_is_marked(settings: Any) -> None:
    backed_up(24 * 9)
    assert re.search(r"Last backup \S+ too old 9 d ago", words())
    settings.TURNLOG = replace(settings.TURNLOG, backup_days=10)
    assert "too old" not in words()
    settings.TURNLOG = replace(settings.TURNLOG, backup_days=0)
    backed_up(24 * 900)
    assert "too old" not in words()


def test_a_failure_is_told_until_a_backup_is_whole_again() -> None:
    backed_up(30)
    backed_up(6, whole=False, size=None, problem="No space left on device")
    assert re.search(r"the newest failed 6 h ago: No space left on device 1 d ago , 1.2 GB", words())
    backed_up(1)
    assert "the newest failed" not in words()


def test_it_says_which_turnlog_it_is_and_asks_again_by_itself() -> None:
    assert f"Turnlog {VERSION}" in words()
    page = client_of("ops").get("/d/health/").content.decode()
    assert 'hx-get="/d/health/" hx-trigger="every 5s" hx-select="#health"' in page
