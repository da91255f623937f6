"""The list of requests: what a query finds, a page of it, and how it lies in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet

from dashboard.access import Viewer
from dashboard.charts import Chart, Series
from dashboard.keyset import COUNTED, Keyset, read_keyset
from dashboard.queries.request_columns import COLUMNS, Column, address_of, cells_of, fields_of, read_columns
from dashboard.queries.request_files import FORMS, MOST
from dashboard.queries.request_query import RequestQuery, chips_of, read_request_query
from dashboard.scope import Scope
from gateway.admin.request_filter import as_uuid
from gateway.history.search.find import search
from gateway.models import RequestLog

TEXTS_LOOKED_AT: Final = 300
LOOKED_AT: Final = 30_000
"""How many rows are looked at one by one for what no index finds; the page says where it stopped."""
FEW: Final = 500
BARS: Final = 48


@dataclass(frozen=True, slots=True)
class Found:
    """The newest rows that match, as (id, outcome, status), one more than `COUNTED` at most. `floor`: below this id
    nothing was looked at; None: everything was."""

    matching: QuerySet[RequestLog]
    newest: Sequence[tuple[UUID, str, int | None]]
    floor: UUID | None

    @property
    def count(self) -> str:
        return f"{COUNTED:,}+" if len(self.newest) > COUNTED else f"{len(self.newest):,}"

    def listed(self) -> QuerySet[RequestLog]:
        """What a page of the list is read from: of few, by their ids, so that they are not looked for again."""
        if len(self.newest) > FEW:
            return self.matching
        return RequestLog.objects.filter(id__in=[row_id for row_id, _, _ in self.newest])


def read_requests(viewer: Viewer, scope: Scope, query: Mapping[str, str]) -> dict[str, Any]:
    """The template's context."""
    asked = read_request_query(query.get("q", ""))
    found = find(viewer, scope, asked)
    text = query.get("q", "").strip()
    columns = read_columns(query)
    chosen = address_of(columns)

    def address(**changes: str) -> str:
        return scope.address(**({"q": text, "columns": chosen} | changes))

    listed = keyset_of(found, columns, query, address)
    return {
        "q": text,
        "problems": asked.problems,
        "columns": columns,
        "chosen_columns": chosen,
        "choices": [(column, column in columns) for column in COLUMNS],
        "usual_columns": address(columns=""),
        "keyset": listed,
        "rows": [(row, cells_of(columns, row)) for row in listed.rows],
        "count": found.count,
        "chart": histogram(found, scope, address),
        "chips": [(words, address(q=rest)) for words, rest in chips_of(text)],
        "files": [(title, address(columns="", format=form)) for form, (title, _, _) in FORMS.items()],
        "most": MOST,
        "unread": bool(asked.text) and not viewer.may_read,
    } | stopped(found, scope, address)


def keyset_of(
    found: Found, columns: Iterable[Column], query: Mapping[str, str], address: Callable[..., str]
) -> Keyset[RequestLog]:
    """A page of what was found, of which no more is read than its columns show."""
    fields = fields_of(columns)
    rows = found.listed().only(*fields)
    if any(field.startswith("response__") for field in fields):
        rows = rows.select_related("response")
    return read_keyset(rows, query, address)


def find(viewer: Viewer, scope: Scope, asked: RequestQuery) -> Found:
    rows = narrowed(viewer, scope, asked)
    floor = None
    if asked.slow and not asked.text:
        floor = rows.order_by("-id").values_list("id", flat=True)[LOOKED_AT : LOOKED_AT + 1].first()
        rows = rows.filter(asked.slow) if floor is None else rows.filter(asked.slow, id__gt=floor)
    newest = rows.order_by("-id").values_list("id", "outcome", "status_code")[: COUNTED + 1]
    return Found(rows, list(newest), floor)


def narrowed(viewer: Viewer, scope: Scope, asked: RequestQuery) -> QuerySet[RequestLog]:
    """What indexes find: by the fields that have one, or by the texts."""
    if asked.problems:
        return RequestLog.objects.none()
    rows = scope.rows(viewer.figures).filter(asked.quick)
    if not asked.text:
        return rows
    identity = as_uuid(asked.text.strip('"'))
    if identity is not None:
        return viewer.figures.requests().filter(id=identity)
    found = search(asked.text, viewer.rows, limit=TEXTS_LOOKED_AT)
    asked.problems += found.problems
    return rows.filter(asked.slow, id__in=[hit.row["id"] for hit in found.hits])


def stopped(found: Found, scope: Scope, address: Callable[..., str]) -> dict[str, Any]:
    """Where looking stopped, and the address that goes on from there."""
    if found.floor is None:
        return {}
    since, at = scope.bounds()[0], moment_of(found.floor.int)
    # An address has whole seconds, and none may be left out.
    until = at.replace(microsecond=0) + timedelta(seconds=1)
    further = {"range": "", "since": f"{since:%Y-%m-%dT%H:%M:%S}", "until": f"{until:%Y-%m-%dT%H:%M:%S}"}
    return {"looked_at": LOOKED_AT, "looked_until": at, "further": address(**further)}


def histogram(found: Found, scope: Scope, address: Callable[..., str]) -> Chart:
    """Bars over the time of the scope, of at most the newest `COUNTED` rows."""
    since, until = scope.bounds()
    step = max((until - since) / BARS, timedelta(seconds=1))
    times = [since + step * at for at in range(BARS)]
    good, bad = [0] * BARS, [0] * BARS
    for row_id, outcome, status in found.newest[:COUNTED]:
        at = min(BARS - 1, max(0, int((moment_of(row_id.int) - since) / step)))
        failed = outcome != "completed" or (status or 0) >= 400
        (bad if failed else good)[at] += 1
    links = [zoomed(address, at, at + step) for at in times]
    title = "Requests" if len(found.newest) <= COUNTED else f"The newest {COUNTED:,} requests"
    series = [Series("completed", good, "1"), Series("failed", bad, "bad")]
    return Chart(title, times, series, links=links)


def moment_of(number: int) -> datetime:
    """The time a UUIDv7, as a number, carries."""
    return datetime.fromtimestamp((number >> 80) / 1000, tz=UTC)


def zoomed(address: Callable[..., str], since: datetime, until: datetime) -> str:
    return address(range="", since=f"{since:%Y-%m-%dT%H:%M:%S}", until=f"{until:%Y-%m-%dT%H:%M:%S}")
