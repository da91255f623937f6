"""Reading the history: lists by keyset (newest first, never by offset) and single exchanges."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from django.db.models import QuerySet

from gateway.history.id_times import first_id_at
from gateway.history.itemised import cost_lines
from gateway.history.present import REQUEST_KEYS, RESPONSE_KEYS, detail_object, list_row
from gateway.history.store import NotInHistory
from gateway.history.visibility import EVERYTHING, Sight
from gateway.models import RequestLog
from gateway.pricing.cost import CostLine
from gateway.pricing.money import dollars

FILTERS = {
    "session": "session_id",
    "agent": "agent_id",
    "prompt": "prompt_id",
    "model": "model",
    "outcome": "outcome",
    "status": "status_code",
    "client": "client",
    "provider": "provider",
    "dialect": "dialect",
    "team": "team",
    "access_key": "access_key",
}


def recent(limit: int, before: uuid.UUID | None = None, **filters: Any) -> list[dict[str, Any]]:
    """Up to `limit` list rows, newest first, older than the id `before`. Filters are the names of FILTERS, and
    `since` and `until`, datetimes; those that are None do not filter."""
    columns = ["id", "started_at", *REQUEST_KEYS, *(f"response__{key}" for key in RESPONSE_KEYS)]
    rows = matching(**filters)
    if before is not None:
        rows = rows.filter(id__lt=before)
    return [list_row(values) for values in rows.order_by("-id").values(*columns)[:limit]]


def matching(
    *,
    sight: Sight = EVERYTHING,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
    **filters: Any,
) -> QuerySet[RequestLog]:
    """Of what `sight` lets be seen, the rows that match; `until` is excluded. Raises KeyError for a filter there is
    not."""
    rows = sight.requests().filter(**{FILTERS[name]: value for name, value in filters.items() if value is not None})
    if since is not None:
        rows = rows.filter(id__gte=first_id_at(since))
    return rows if until is None else rows.filter(id__lt=first_id_at(until))


def detail(exchange_id: uuid.UUID) -> dict[str, Any]:
    """Everything about one exchange but its bodies. Raises NotInHistory."""
    rows = RequestLog.objects.select_related("response", "header_record", "chunk_timing")
    request = rows.filter(id=exchange_id).first()
    if request is None:
        raise NotInHistory(f"there is no exchange {exchange_id} in the history")
    lines = cost_lines(getattr(request, "response", None))
    return detail_object(request) | {"cost_lines": [line_object(line) for line in lines]}


def line_object(line: CostLine) -> dict[str, Any]:
    """One kind of what was used; the rate is USD for a million tokens, or a thousand calls."""
    return {
        "kind": line.kind,
        "quantity": line.quantity,
        "rate": f"{line.rate.normalize():f}",
        "usd": dollars(line.usd),
    }
