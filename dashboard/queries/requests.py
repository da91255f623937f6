"""The list of requests: what a query finds, a page of it, and how it lies in time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet

from dashboard.access import Viewer
from dashboard.charts import Chart, Series
from dashboard.keyset import counted, read_keyset
from dashboard.queries.request_query import RequestQuery, read_request_query
from dashboard.scope import Scope
from gateway.admin.request_filter import as_uuid
from gateway.admin.request_list import COLUMNS
from gateway.history.search.find import search
from gateway.models import RequestLog

TEXTS_LOOKED_AT: Final = 300
BARS: Final = 48
DRAWN: Final = 5_000
"""Of how many of the newest rows the chart is: beyond, it says so."""


def read_requests(viewer: Viewer, scope: Scope, query: Mapping[str, str]) -> dict[str, Any]:
    """The template's context."""
    asked = read_request_query(query.get("q", ""))
    matching = narrowed(viewer, scope, asked)
    text = query.get("q", "").strip()

    def address(**changes: str) -> str:
        return scope.address(**({"q": text} if text else {}), **changes)

    listed = matching.select_related("response").only(*COLUMNS, "team", "access_key")
    return {
        "q": text,
        "problems": asked.problems,
        "keyset": read_keyset(listed, query, address),
        "count": counted(matching),
        "chart": histogram(matching, scope, text),
        "unread": bool(asked.text) and not viewer.may_read,
    }


def narrowed(viewer: Viewer, scope: Scope, asked: RequestQuery) -> QuerySet[RequestLog]:
    if asked.problems:
        return RequestLog.objects.none()
    rows = scope.rows(viewer.figures).filter(asked.condition)
    if not asked.text:
        return rows
    identity = as_uuid(asked.text.strip('"'))
    if identity is not None:
        return viewer.figures.requests().filter(id=identity)
    found = search(asked.text, viewer.rows, limit=TEXTS_LOOKED_AT)
    asked.problems += found.problems
    return rows.filter(id__in=[hit.row["id"] for hit in found.hits])


def histogram(matching: QuerySet[RequestLog], scope: Scope, text: str) -> Chart:
    """Bars over the time of the scope, of at most the newest `DRAWN` rows."""
    since, until = scope.bounds()
    step = max((until - since) / BARS, timedelta(seconds=1))
    times = [since + step * at for at in range(BARS)]
    good, bad = [0] * BARS, [0] * BARS
    rows = list(matching.order_by("-id").values_list("id", "outcome", "status_code")[:DRAWN])
    for row_id, outcome, status in rows:
        at = min(BARS - 1, max(0, int((moment_of(row_id.int) - since) / step)))
        failed = outcome != "completed" or (status or 0) >= 400
        (bad if failed else good)[at] += 1
    links = [zoomed(scope, at, at + step, text) for at in times]
    title = "Requests" if len(rows) < DRAWN else f"The newest {DRAWN:,} requests"
    series = [Series("completed", good, "1"), Series("failed", bad, "bad")]
    return Chart(title, times, series, links=links)


def moment_of(number: int) -> datetime:
    """The time a UUIDv7, as a number, carries."""
    return datetime.fromtimestamp((number >> 80) / 1000, tz=UTC)


def zoomed(scope: Scope, since: datetime, until: datetime, text: str) -> str:
    changes = {"range": "", "since": f"{since:%Y-%m-%dT%H:%M:%S}", "until": f"{until:%Y-%m-%dT%H:%M:%S}"}
    return scope.address(**changes, **({"q": text} if text else {}))
