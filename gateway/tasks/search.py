"""What is stored can be found a few seconds later."""

from __future__ import annotations

import time

from celery import shared_task

from gateway.announcing.findings import announce_findings
from gateway.history.search.index import index_batch

BUSY_SECONDS = 30.0


@shared_task(name="gateway.tasks.search.index_new_text", ignore_result=True)
def index_new_text() -> None:
    """Until nothing waits, or for half a minute; the next run goes on, so a failure needs no retry."""
    deadline = time.monotonic() + BUSY_SECONDS
    while index_batch(tell=announce_findings) and time.monotonic() < deadline:
        pass
