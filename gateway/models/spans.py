"""What waits to be sent to an OTLP endpoint, and how that endpoint took the last of it.

The loader adds a row in the transaction that stores the record; a worker sends and removes it. Both tables stay empty
where TURNLOG_OTLP_ENDPOINT is not set.
"""

from __future__ import annotations

import datetime

from django.db import models

BEGINNING = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class WaitingTrace(models.Model):
    """A request in the history whose spans are to be sent. A worker that takes it moves `not_before` on and counts the
    attempt first: one that is killed leaves it to the next."""

    request_id = models.UUIDField(primary_key=True)
    attempts = models.PositiveSmallIntegerField(db_default=0)
    not_before = models.DateTimeField(db_default=models.Value(BEGINNING))

    class Meta:
        # What was never tried goes first, so that what a receiver chokes on holds up nothing else.
        indexes = [models.Index(fields=["attempts", "request_id"], name="waitingtrace_turn")]

    def __str__(self) -> str:
        return str(self.request_id)


class TraceReceiver(models.Model):
    """How the OTLP endpoint does; one row. Workers leave it alone until `not_before`."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    failures = models.PositiveIntegerField(default=0, help_text="In a row")
    not_before = models.DateTimeField(default=BEGINNING)
    problem = models.CharField(max_length=500, blank=True)

    def __str__(self) -> str:
        return self.problem or "in order"
