"""One page of requests: newest first, found by the ids at its edges, so that any page costs what the first one does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from gateway.admin.facets import values_seen
from gateway.admin.request_filter import RequestFilter, as_uuid
from gateway.dialects.names import Outcome
from gateway.history.visibility import EVERYTHING, Sight
from gateway.models import RequestLog

ROWS_SHOWN = 50
COUNTED = 10_000

COLUMNS = (
    "id",
    "started_at",
    "method",
    "path",
    "dialect",
    "requested_model",
    "routed_model",
    "model",
    "is_streaming",
    "status_code",
    "outcome",
    "session_id",
    "agent_id",
    "client",
    "client_version",
    "request_bytes",
    "capture",
    "purpose",
    "handling",
    "response__first_byte_ms",
    "response__duration_ms",
    "response__response_bytes",
    "response__stop_reason",
    "response__input_tokens",
    "response__output_tokens",
    "response__cache_read_tokens",
    "response__cache_write_tokens",
    "response__cost_usd",
    "response__cost_note",
)


@dataclass(frozen=True, slots=True)
class RequestPage:
    """`newer` and `older` are the query strings of the pages beside this one, empty where there is none."""

    rows: list[RequestLog]
    newer: str
    older: str


def read_page(
    matching: QuerySet[RequestLog], narrowed: RequestFilter, query: Mapping[str, str], size: int = ROWS_SHOWN
) -> RequestPage:
    """The page below the id `before`, or above the id `after`; without either, the newest.

    `matching` are the rows that `narrowed` lets through; of them is read what a list shows, and nothing wide.
    """
    rows = matching.select_related("response").only(*COLUMNS)
    before, after = mark(query, "before"), mark(query, "after")
    if after is not None:
        found = list(rows.filter(id__gt=after).order_by("id")[: size + 1])
        return make_page(narrowed, found[:size][::-1], newer=len(found) > size, older=True)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows.order_by("-id")[: size + 1])
    return make_page(narrowed, found[:size], newer=before is not None, older=len(found) > size)


def make_page(narrowed: RequestFilter, rows: list[RequestLog], *, newer: bool, older: bool) -> RequestPage:
    if not rows:
        return RequestPage([], narrowed.address() if newer or older else "", "")
    return RequestPage(
        rows,
        newer=narrowed.address(after=str(rows[0].id)) if newer else "",
        older=narrowed.address(before=str(rows[-1].id)) if older else "",
    )


def mark(query: Mapping[str, str], name: str) -> UUID | None:
    return as_uuid(query.get(name, ""))


def counted(matching: QuerySet[RequestLog]) -> str:
    """How many rows there are, counted no further than a bound: `312`, or `10,000+`."""
    number = matching.order_by().values("pk")[: COUNTED + 1].count()
    return f"{COUNTED:,}+" if number > COUNTED else f"{number:,}"


def choices(narrowed: RequestFilter, sight: Sight = EVERYTHING) -> dict[str, list[Any]]:
    """What each filter offers; a value in force is offered even when no row has it any more."""
    offered = {
        "outcome": [outcome.value for outcome in Outcome],
        "model": values_seen("model", sight),
        "status": [str(status) for status in values_seen("status_code", sight)],
        "client": [client for client in values_seen("client", sight) if client],
    }
    for name, values in offered.items():
        chosen = getattr(narrowed, name)
        if chosen and chosen not in values:
            values.append(chosen)
    return offered
