"""Finished requests are sent as OpenTelemetry spans, where an endpoint is named."""

from __future__ import annotations

import threading
import time

from celery import shared_task
from django.conf import settings

BUSY_SECONDS = 20.0
sending = threading.Lock()
"""One at a time in each worker: a receiver that is slow is not to take all its threads."""


@shared_task(name="gateway.tasks.traces.send", ignore_result=True)
def send() -> None:
    """Until nothing is due, or for a while; the next run goes on, so a failure needs no retry."""
    if not settings.TURNLOG.otlp_endpoint or not sending.acquire(blocking=False):
        return
    try:
        send_all()
    finally:
        sending.release()


def send_all() -> None:
    # A worker that sends no spans need not hold the library that writes them.
    from gateway.tracing.queue import trim
    from gateway.tracing.sending import send_next

    trim()
    deadline = time.monotonic() + BUSY_SECONDS
    while send_next(settings.TURNLOG) and time.monotonic() < deadline:
        pass
