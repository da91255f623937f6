"""Sums with the worker that makes them: a real one, with either broker, and one that is killed in the middle."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from gateway.models import RollupDue, RollupHour
from tests.e2e.processes import WebProcess, beside, kill, until
from tests.exchanges import keep
from tests.gateway.history.test_rollups import agree, some_turns

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 60
WAITS_FOR_A_LOCK = """
SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'gateway_rolluphour'::regclass
"""


def is_summed_up() -> bool:
    return not RollupDue.objects.exists()


@pytest.mark.parametrize("broker", ["files", "redis"])
def test_a_worker_sums_up_what_was_kept(
    tmp_path: Path, database_url: str, broker: str, request: pytest.FixtureRequest
) -> None:
    redis = {"REDIS_URL": request.getfixturevalue("redis_url")} if broker == "redis" else {}
    keep(some_turns(60, 3))
    assert not is_summed_up()
    with beside(WebProcess(tmp_path, database_url, **redis), "worker"):
        until(is_summed_up, SECONDS, "all is summed up")
    agree()


def test_a_worker_that_is_killed_while_it_sums_up_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, database_url: str
) -> None:
    keep(some_turns(60, 3))
    web = WebProcess(tmp_path, database_url)
    with psycopg.connect(database_url) as holder, psycopg.connect(database_url, autocommit=True) as looker:
        holder.execute("LOCK TABLE gateway_rolluphour IN SHARE MODE")
        with beside(web, "worker") as first:
            until(lambda: looker.execute(WAITS_FOR_A_LOCK).fetchone(), SECONDS, "the worker is about to write sums")
            kill(first)
        holder.rollback()
    assert not is_summed_up()
    assert not RollupHour.objects.exists()
    with beside(web, "worker"):
        until(is_summed_up, SECONDS, "the next has summed up")
    agree()
