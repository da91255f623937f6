"""One page of rows by their ids: newest first, found by the ids at its edges, so that any page costs what the first
one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

from gateway.admin.request_filter import as_uuid

Row = TypeVar("Row", bound=Model)
ROWS_SHOWN = 50
COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Keyset(Generic[Row]):
    """`newer` and `older` are the query strings of the pages beside this one, empty where there is none."""

    rows: list[Row]
    newer: str
    older: str


def read_keyset(
    matching: QuerySet[Row], query: Mapping[str, str], address: Callable[..., str], size: int = ROWS_SHOWN
) -> Keyset[Row]:
    """The page below the id `before` of the query, or above `after`; without either, the newest. `address(**changes)`
    makes a query string."""
    before, after = as_uuid(query.get("before", "")), as_uuid(query.get("after", ""))
    if after is not None:
        found = list(matching.filter(pk__gt=after).order_by("pk")[: size + 1])
        return keyset(found[:size][::-1], address, newer=len(found) > size, older=True)
    rows = matching if before is None else matching.filter(pk__lt=before)
    found = list(rows.order_by("-pk")[: size + 1])
    return keyset(found[:size], address, newer=before is not None, older=len(found) > size)


def keyset(rows: list[Row], address: Callable[..., str], *, newer: bool, older: bool) -> Keyset[Row]:
    if not rows:
        return Keyset([], address() if newer or older else "", "")
    return Keyset(
        rows,
        newer=address(after=str(rows[0].pk)) if newer else "",
        older=address(before=str(rows[-1].pk)) if older else "",
    )
