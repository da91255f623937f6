"""Prompts are graded: those somebody asked for within seconds, others by sampling."""

from __future__ import annotations

import time

from celery import shared_task
from django.db import OperationalError

from gateway.grading.sampling import sample
from gateway.grading.working import grade_next, settle_costs

BUSY_SECONDS = 30.0


@shared_task(name="gateway.tasks.grading.grade", ignore_result=True)
def grade() -> None:
    """Until nothing waits, or for half a minute; the next run goes on, so a failure needs no retry."""
    deadline = time.monotonic() + BUSY_SECONDS
    while grade_next() and time.monotonic() < deadline:
        pass
    settle_costs()


@shared_task(
    name="gateway.tasks.grading.sample_requests", ignore_result=True, autoretry_for=(OperationalError,), max_retries=3
)
def sample_requests() -> None:
    sample()
