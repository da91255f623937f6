"""Shows the first request arriving: a newcomer sees that the line they pasted works."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

from django.db import DatabaseError, connection
from django.urls import NoReverseMatch, reverse

from gateway.models import RequestLog
from proxy_project.embedded.voice import say

POLL_SECONDS = 0.5


class FirstRequest(threading.Thread):
    """Watches the history for the first row after the ones that were there. Ends with it, or when told."""

    def __init__(self, base_url: str) -> None:
        super().__init__(name="first-request", daemon=True)
        self.base_url = base_url
        self.enough = threading.Event()
        self.after: UUID | None = RequestLog.objects.order_by("-id").values_list("id", flat=True).first()

    def run(self) -> None:
        try:
            while not self.enough.wait(POLL_SECONDS):
                row = self.look()
                if row is not None:
                    say(f"first request: {sentence(row)} → {self.base_url}{page(row)}")
                    return
        finally:
            connection.close()

    def look(self) -> Any:
        """The row, when there is one; a database that is away is asked again."""
        try:
            rows = RequestLog.objects.select_related("response").order_by("id")
            return (rows.filter(id__gt=self.after) if self.after else rows).first()
        except DatabaseError:
            connection.close()
            return None

    def stop(self) -> None:
        self.enough.set()


def sentence(row: Any) -> str:
    response = getattr(row, "response", None)
    parts = [row.method, row.path, row.model or row.requested_model, row.status_code, row.outcome]
    text = " ".join(str(part) for part in parts if part)
    duration = response.duration_ms if response is not None else None
    return text if duration is None else f"{text} in {duration:.0f} ms"


def page(row: Any) -> str:
    try:
        return reverse("admin:gateway_requestlog_change", args=[row.pk])
    except NoReverseMatch:
        return reverse("admin:index")
