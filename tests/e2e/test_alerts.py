"""Alerts with all that takes part: a real worker and its beat, a broker, and receivers on loopback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from gateway.announcing.announce import announce
from gateway.configuration.channels import set_address
from gateway.models import Alert, AlertChannel, AlertRule, BudgetEvent, Delivery, FleetState
from tests.e2e.processes import ROOT, WebProcess, kill, until
from tests.gateway.announcing.receiver import Receiver, receiving

SECONDS = 60


@pytest.fixture
def receiver(database_url: str) -> Iterator[Receiver]:
    """With a channel to it, and one rule: a breaker."""
    with receiving() as found:
        channel = AlertChannel(name="ops", way="webhook")
        set_address(channel, found.url)
        channel.save()
        AlertRule.objects.all().delete()
        AlertRule.objects.create(
            name="breaker", metric="breaker_open", operator=">=", threshold=1, window=0, cooldown=0
        )
        yield found


@contextmanager
def working(directory: Path, database_url: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py worker`; it may send to loopback."""
    # This process seals the channels' addresses.
    keys = ",".join(settings.ENCRYPTION_KEYS)
    known = {"TURNLOG_ENCRYPTION_KEYS": keys, "TURNLOG_UPSTREAM_ALLOW_HOSTS": "127.0.0.1"}
    environment = WebProcess(directory, database_url, **known | variables).environment
    with (directory / "worker.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "worker"], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(90)


def tell_breaker(state: str) -> None:
    entry = {"provider": "anthropic", "model": "", "state": state, "held": None, "failures_in_a_row": 5}
    told = {"breakers": [entry], "credentials": [], "queues": [], "down": {}}
    FleetState.objects.update_or_create(process="web", defaults={"told_at": timezone.now(), "state": told})


@pytest.mark.parametrize("broker", ["files", "redis"])
def test_a_worker_opens_tells_and_ends(
    receiver: Receiver, tmp_path: Path, database_url: str, broker: str, request: pytest.FixtureRequest
) -> None:
    redis = {"REDIS_URL": request.getfixturevalue("redis_url")} if broker == "redis" else {}
    now = timezone.now()
    BudgetEvent.objects.create(
        budget="all", scope="everything", period="daily", window_start=now, window_end=now + timedelta(days=1),
        threshold=90, unit="US dollars", used=91.0, amount=100.0,
    )  # fmt: skip
    tell_breaker("open")
    with working(tmp_path, database_url, **redis):
        until(lambda: len(receiver.got) == 2, SECONDS, "the budget and the breaker")
        assert sorted(got.told["title"] for got in receiver.got) == [
            "Budget all: 90 % used", "anthropic: Breaker open 1 processes",
        ]  # fmt: skip
        tell_breaker("closed")
        until(lambda: len(receiver.got) == 3, SECONDS, "the end")
    assert receiver.got[2].told["state"] == "resolved"
    assert Alert.objects.get().state == "resolved"
    assert {delivery.attempts for delivery in Delivery.objects.all()} == {1}
    assert len({got.headers["idempotency-key"] for got in receiver.got}) == 3


def test_a_worker_that_is_killed_while_it_sends_loses_nothing_and_its_receiver_knows_the_second(
    receiver: Receiver, tmp_path: Path, database_url: str
) -> None:
    for number in range(3):
        announce("finding", "warning", f"number {number}", dedup_key=f"k{number}")
    receiver.go.clear()
    with working(tmp_path, database_url) as first:
        until(lambda: receiver.got, SECONDS, "the first is being sent")
        kill(first)
    assert not Delivery.objects.filter(state="sent").exists()
    receiver.go.set()
    with working(tmp_path, database_url):
        until(lambda: Delivery.objects.filter(state="sent").count() == 3, SECONDS, "all are sent")
    by_key: dict[str, set[Any]] = {}
    for got in receiver.got:
        by_key.setdefault(got.headers["idempotency-key"], set()).add(got.body)
    assert sorted(len(bodies) for bodies in by_key.values()) == [1, 1, 1]
    # What was under way when it died came again, under its key; the others once.
    assert 3 <= len(receiver.got) <= 4
