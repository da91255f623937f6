"""The admin's first page: the last day in figures, the newest requests, and whether anything is missing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone

from dashboard.views.landing import asks_for_a_key, base_url
from gateway.admin.request_filter import RequestFilter
from gateway.admin.request_list import COUNTED, read_page
from gateway.dialects.names import Outcome
from gateway.history.id_times import first_id_at
from gateway.history.visibility import visible_to
from gateway.models import RequestLog
from gateway.recording.status import Status, read_status
from proxy_project.embedded.connect import connection_lines

ROWS_SHOWN = 10


def add_to_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Called by the admin's theme. A person who may not see requests gets none of it."""
    if request.user.has_perm("gateway.view_requestlog"):
        visible = visible_to(request.user).listed()
        page = read_page(visible, RequestFilter(), {}, ROWS_SHOWN)
        context.update(day=last_day(visible), newest=page.rows, status=reconciled())
        if not page.rows:
            context["connect"] = connection_lines(base_url(request), keyed=asks_for_a_key())
    return context


def reconciled() -> Status | None:
    """Whether anything is missing; None when this process cannot read the spool."""
    try:
        return read_status(settings.TURNLOG.data_dir / "spool")
    except OSError:
        return None


def last_day(visible: QuerySet[RequestLog]) -> dict[str, Any]:
    """Sums over the newest requests of 24 hours, at most `COUNTED` of them: a start page must stay cheap."""
    since = first_id_at(timezone.now() - timedelta(days=1))
    newest = visible.filter(id__gte=since).order_by("-id")[:COUNTED]
    sums: dict[str, Any] = newest.aggregate(
        requests=Count("pk"),
        not_completed=Count("pk", filter=~Q(outcome=Outcome.COMPLETED)),
        input_tokens=Sum("response__input_tokens"),
        output_tokens=Sum("response__output_tokens"),
        cache_read_tokens=Sum("response__cache_read_tokens"),
        cost_usd=Sum("response__cost_usd"),
    )
    return sums | {"capped": sums["requests"] >= COUNTED}
