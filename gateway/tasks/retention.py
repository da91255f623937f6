"""What is older than its term goes, once a day."""

from __future__ import annotations

import datetime

import structlog
from celery import shared_task
from django.db import OperationalError

from gateway.history.retention import keep_terms
from gateway.history.sweeping import Busy
from gateway.metering.books import forget_old
from gateway.recording.erasing import empty_letters
from gateway.recording.letter_terms import due_letters

log = structlog.get_logger(__name__)


@shared_task(
    name="gateway.tasks.retention.keep_terms", ignore_result=True, autoretry_for=(OperationalError,), max_retries=3
)
def keep_all_terms() -> None:
    now = datetime.datetime.now(datetime.UTC)
    try:
        for step in keep_terms(now):
            log.info("retention", step=step)
    except Busy as busy:
        log.warning("retention put off", reason=str(busy))
    if letters := due_letters(now):
        empty_letters(letters)
        log.info("retention", step=f"{len(letters)} dead letters emptied")
    forget_old(now)
