"""Alert rules are looked at every few seconds, and what is to be told is sent."""

from __future__ import annotations

import time

from celery import shared_task
from django.db import OperationalError
from django.utils import timezone

from gateway.alerting.evaluating import look
from gateway.alerting.money import announce_budgets
from gateway.announcing.delivering import deliver_next, forget_old

BUSY_SECONDS = 30.0


@shared_task(name="gateway.tasks.alerts.look_at_rules", ignore_result=True)
def look_at_rules() -> None:
    """The next look comes soon, so a failure needs no retry."""
    look()


@shared_task(name="gateway.tasks.alerts.deliver", ignore_result=True)
def deliver() -> None:
    """Until nothing is due, or for half a minute; the next run goes on."""
    announce_budgets(timezone.now())
    deadline = time.monotonic() + BUSY_SECONDS
    while deliver_next() and time.monotonic() < deadline:
        pass


@shared_task(name="gateway.tasks.alerts.forget", ignore_result=True, autoretry_for=(OperationalError,), max_retries=3)
def forget() -> None:
    forget_old(timezone.now())
