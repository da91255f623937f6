"""Readings of the spool: how much waits in it, for how long, and what was never written to it.

How long is found from the counts: exchanges are loaded in the order they end, so that the oldest that waits ended when
as many had ended as are loaded now. `AlertCount` keeps when how many had.
"""

from __future__ import annotations

import datetime
import socket
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import connection

from gateway.metrics.gauges import read_told
from gateway.models import AlertCount, AlertRule
from gateway.policy.alerting import Reading
from gateway.recording.status import Status, read_status

PAGE = "/d/health/"
OVER = "over"
DROPPED = "dropped"
KEPT = datetime.timedelta(hours=6)


class Spool:
    """Of one look. Where the worker's machine has no spool, nothing is known of it and nothing is read."""

    def __init__(self, now: datetime.datetime, spool_dir: Path | None = None) -> None:
        self._now = now
        self._dir = spool_dir or settings.TURNLOG.data_dir / "spool"
        self._status: Status | None = None
        self._is_read = False

    def age(self, rule: AlertRule) -> Iterator[Reading]:
        """Seconds: of this machine's spool as exact as the looks are often, of others what their loaders say."""
        status = self._counted()
        yield from others(is_here=status is not None)
        if status is None or status.stored is None:
            return
        dropped = sum(status.dropped.values())
        ended, loaded = status.accepted - status.in_flight - dropped, status.stored
        then = AlertCount.objects.filter(name=OVER)
        last = then.filter(value__lte=loaded).order_by("-at").first() or then.order_by("at").first()
        waits = ended > loaded and last is not None
        yield Reading("", (self._now - last.at).total_seconds() if waits and last is not None else 0.0, link=PAGE)

    def depth(self, rule: AlertRule) -> Iterator[Reading]:
        status = self._counted()
        if status is not None:
            yield Reading("", status.spooled, link=PAGE)

    def dropped(self, rule: AlertRule) -> Iterator[Reading]:
        """How many in the rule's window, by all reasons."""
        status = self._counted()
        if status is None:
            return
        since = self._now - datetime.timedelta(seconds=rule.window)
        counts = AlertCount.objects.filter(name=DROPPED)
        before = counts.filter(at__lte=since).order_by("-at").first() or counts.order_by("at").first()
        total = sum(status.dropped.values())
        yield Reading("", max(0.0, total - (before.value if before else total)), link=PAGE)

    def _counted(self) -> Status | None:
        if not self._is_read:
            self._is_read = True
            self._status = read_status(self._dir) if self._dir.is_dir() else None
            if self._status is not None:
                self._keep(self._status)
        return self._status

    def _keep(self, status: Status) -> None:
        dropped = sum(status.dropped.values())
        note(DROPPED, dropped, self._now)
        note(OVER, status.accepted - status.in_flight - dropped, self._now)


def others(*, is_here: bool) -> Iterator[Reading]:
    """What the loaders that run say; with a spool here, those of other machines."""
    here = socket.gethostname()[:64]
    with connection.cursor() as cursor:
        told = read_told(cursor)
    for loader in told:
        seconds = loader.value("spool_oldest_seconds")
        if seconds is not None and not (is_here and loader.host == here):
            yield Reading(loader.host, seconds, link=PAGE)


def note(name: str, value: float, now: datetime.datetime) -> None:
    """Write down what a count is. While it stays, so does its last row, with the time it was seen last: the first of
    two rows says when a count was reached, the second until when it was no more than that."""
    rows = list(AlertCount.objects.filter(name=name).order_by("-at", "-pk")[:2])
    if len(rows) == 2 and rows[0].value == rows[1].value == value:
        AlertCount.objects.filter(pk=rows[0].pk).update(at=now)
        return
    AlertCount.objects.create(name=name, at=now, value=value)
    # The newest are kept, however old: they are what later counts are held against.
    old = AlertCount.objects.filter(name=name, at__lt=now - KEPT).order_by("-at")[2:]
    AlertCount.objects.filter(pk__in=list(old.values_list("pk", flat=True))).delete()
