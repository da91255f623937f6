"""`/search`: turns that hold a text."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Schema
from pydantic import Field

from gateway.history.search.find import Hit, Results, search
from gateway.read_api.access import Refused, reader_of
from gateway.read_api.application import NARROWED, Error, api


class Sought(Schema):
    """`q` in the language of the search page; `before` is the `next` of the page before."""

    q: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]
    before: uuid.UUID | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class Match(Schema):
    """`section` is tools, system, messages or answers."""

    section: str
    role: str
    text: str


class TurnMatch(Schema):
    requestId: str
    timestamp: str
    conversationId: str | None = None
    model: str | None = None
    matches: list[Match]


class SearchResults(Schema):
    """`total` is of one page's looking, which goes no further than 300 texts: then `totalIsCapped`."""

    query: str
    total: int
    totalIsCapped: bool
    limit: int
    next: str | None = None


class TurnResults(SearchResults):
    results: list[TurnMatch]


@api.get(
    "/search",
    response={200: TurnResults, 400: Error, **NARROWED},
    exclude_none=True,
    summary="Turns that hold a text, newest first",
)
def search_turns(request: HttpRequest, sought: Query[Sought]) -> dict[str, Any]:
    found = find(request, sought, sought.limit)
    return told(sought, found) | {
        "results": [turn_match(hit) for hit in found.hits],
        "next": str(found.older) if found.older else None,
    }


def find(request: HttpRequest, sought: Sought, limit: int, *, places: bool = True) -> Results:
    """Raises Refused."""
    found = search(sought.q, reader_of(request).sight, limit, sought.before, facets=False, places=places)
    if found.problems:
        raise Refused(400, "The search cannot be understood.", " ".join(found.problems))
    return found


def told(sought: Sought, found: Results) -> dict[str, Any]:
    return {"query": sought.q, "total": found.count, "totalIsCapped": not found.counted_all, "limit": sought.limit}


def turn_match(hit: Hit) -> dict[str, Any]:
    places = [{"section": place.section, "role": place.role, "text": place.snippet.text} for place in hit.places]
    return {
        "requestId": hit.row["id"],
        "timestamp": hit.row["started_at"],
        "conversationId": hit.row["session_id"],
        "model": hit.row["model"] or hit.row["requested_model"],
        "matches": places,
    }
