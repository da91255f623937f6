"""Costs are computed again when that was asked for in the admin. Apart from the sums, because it may take minutes."""

from __future__ import annotations

from celery import shared_task
from django.db import OperationalError

from gateway.history.cost_runs import run_waiting


@shared_task(name="gateway.tasks.costs.recompute", ignore_result=True, autoretry_for=(OperationalError,), max_retries=3)
def recompute() -> None:
    run_waiting()
