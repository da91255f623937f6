"""Months of the history are there before the first row of them is."""

from __future__ import annotations

from celery import shared_task
from django.db import OperationalError

from gateway.history.partitions import ensure_partitions


@shared_task(
    name="gateway.tasks.partitions.make_partitions_ahead",
    ignore_result=True,
    autoretry_for=(OperationalError,),
    retry_backoff=True,
    max_retries=5,
)
def make_partitions_ahead() -> None:
    ensure_partitions()
