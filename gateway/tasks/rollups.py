"""Numbers follow the turns: hours that changed are summed up again."""

from __future__ import annotations

from celery import shared_task
from django.db import OperationalError

from gateway.history.rollups import roll_up_all


@shared_task(name="gateway.tasks.rollups.roll_up", ignore_result=True, autoretry_for=(OperationalError,), max_retries=3)
def roll_up() -> None:
    roll_up_all()
