"""A page of requests: narrowed, found by ids, and bounded in what is looked at."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.db.models import QuerySet
from ninja import Schema
from pydantic import AwareDatetime

from gateway.history.id_times import first_id_at
from gateway.history.visibility import Sight
from gateway.models import RequestLog
from gateway.read_api.spans import Text, bounded

COUNTED: Final = 10_000
LOOKED_AT: Final = 30_000
"""So many rows are looked at one by one for what no index finds together."""
COLUMNS: Final = {
    "model": "model", "session": "session_id", "team": "team", "key": "access_key", "outcome": "outcome",
    "status": "status_code", "client": "client", "provider": "provider",
}  # fmt: skip
INDEXED: Final = ("session", "key", "model", "outcome", "status", "client", "team")
"""In the order of how few rows they leave. The first that is asked for finds rows; the others narrow these."""


class Narrowed(Schema):
    """`before` is the `next` of the page before. Empty: not narrowed; `end` is excluded."""

    model: Text = ""
    session: Text = ""
    team: Text = ""
    key: Text = ""
    outcome: Text = ""
    client: Text = ""
    provider: Text = ""
    status: int | None = None
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    before: uuid.UUID | None = None


Row = Mapping[str, Any]


def read_page(
    sight: Sight, narrowed: Narrowed, limit: int, columns: Sequence[str], tell: Callable[[Row], dict[str, Any]]
) -> dict[str, Any]:
    """As `Page` of `request_shapes.py`, with `requests`."""
    rows, floor = matching(sight, narrowed)
    total = rows.order_by().values("pk")[: COUNTED + 1].count()
    page = rows if narrowed.before is None else rows.filter(id__lt=narrowed.before)
    found = list(page.order_by("-id").values(*columns)[: limit + 1])
    told = {
        "requests": [tell(row) for row in found[:limit]],
        "total": min(total, COUNTED),
        "totalIsCapped": total > COUNTED,
        "limit": limit,
    }
    if len(found) > limit:
        return told | {"next": str(found[limit - 1]["id"])}
    return told if floor is None else told | {"next": str(floor), "lookedUntil": str(floor), "totalIsCapped": True}


def matching(sight: Sight, narrowed: Narrowed) -> tuple[QuerySet[RequestLog], uuid.UUID | None]:
    """The rows, and the id below which nothing was looked at; None: everything was."""
    rows = in_time(sight, narrowed)
    wanted = {name: value for name in COLUMNS if (value := getattr(narrowed, name)) not in ("", None)}
    if any(isinstance(value, int) and not -(2**31) <= value < 2**31 for value in wanted.values()):
        return rows.none(), None
    first = next((name for name in INDEXED if name in wanted), None)
    if first is not None:
        rows = rows.filter(**{COLUMNS[first]: wanted.pop(first)})
    if not wanted:
        return rows, None
    below = rows if narrowed.before is None else rows.filter(id__lt=narrowed.before)
    floor = below.order_by("-id").values_list("id", flat=True)[LOOKED_AT : LOOKED_AT + 1].first()
    looked = rows.filter(**{COLUMNS[name]: value for name, value in wanted.items()})
    return (looked, None) if floor is None else (looked.filter(id__gt=floor), floor)


def in_time(sight: Sight, narrowed: Narrowed) -> QuerySet[RequestLog]:
    rows = sight.requests()
    if narrowed.start:
        rows = rows.filter(id__gte=first_id_at(bounded(narrowed.start)))
    return rows.filter(id__lt=first_id_at(bounded(narrowed.end))) if narrowed.end else rows
