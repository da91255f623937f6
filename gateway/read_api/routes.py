"""`/api/v1`: the history to read from programs. Lists are pages by id, sums come from rollups, and everything is of the
teams that the caller may read."""

from __future__ import annotations

import datetime
import json
import uuid
from itertools import groupby
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import NinjaAPI, Query, Schema
from pydantic import AwareDatetime, Field

from gateway.dialects.names import Dialect
from gateway.grading.asking import Asker, ask_for_request, ask_for_words
from gateway.grading.prompt_text import NoWords, words_of_body
from gateway.history.figures import TIME, Figures, Span, read_figures
from gateway.history.id_times import HOUR, first_id_at
from gateway.history.queries import detail
from gateway.history.visibility import Sight
from gateway.models import Grade, RequestLog
from gateway.read_api.access import by_key, by_session
from gateway.read_api.shapes import SUMMARY_COLUMNS, counted, prompt_grade, summary, tokens_of, whole

DAYS = datetime.timedelta(days=7)
COUNTED = 10_000
Limit = Annotated[int, Query(ge=1, le=1_000)]
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class Error(Schema):
    error: str


class Narrowed(Schema):
    """`before` is the requestId of the last one of the page before."""

    model: Text = ""
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    before: uuid.UUID | None = None


class GradeRequest(Schema):
    """`messages` and `systemMessages` as in the Messages API, or a `requestId`."""

    messages: list[dict[str, Any]] = []
    systemMessages: list[dict[str, Any]] = []
    requestId: uuid.UUID | None = None


class Times(Schema):
    """Without them the last seven days, in UTC; `end` is excluded."""

    start: AwareDatetime | None = None
    end: AwareDatetime | None = None


api = NinjaAPI(
    title="Turnlog read API",
    version="1",
    urls_namespace="read_api",
    docs_url=None,
    auth=[by_key, by_session],
    description="Sign in to the pages, or send a key of the gateway as Authorization: Bearer KEY or x-api-key.",
)


def sight_of(request: HttpRequest) -> Sight:
    return request.auth  # type: ignore[attr-defined, no-any-return]


@api.get("/requests/summary", response={200: dict, 401: Error, 422: dict}, summary="A page of requests without bodies")
def requests_summary(request: HttpRequest, narrowed: Query[Narrowed], limit: Limit = 100) -> dict[str, Any]:
    """`total` is counted no further than 10,000; `next` is the `before` of the page after this."""
    rows = sight_of(request).requests()
    rows = rows.filter(model=narrowed.model) if narrowed.model else rows
    rows = rows.filter(id__gte=first_id_at(bounded(narrowed.start))) if narrowed.start else rows
    rows = rows.filter(id__lt=first_id_at(bounded(narrowed.end))) if narrowed.end else rows
    total = rows.order_by().values("pk")[: COUNTED + 1].count()
    rows = rows.filter(id__lt=narrowed.before) if narrowed.before else rows
    found = list(rows.order_by("-id").values(*SUMMARY_COLUMNS)[: limit + 1])
    page = [summary(row) for row in found[:limit]]
    return {
        "requests": page,
        "total": min(total, COUNTED),
        "totalIsCapped": total > COUNTED,
        "limit": limit,
        "next": page[-1]["requestId"] if len(found) > limit else None,
    }


@api.get("/requests/latest-date", response={200: dict, 401: Error}, summary="When the newest request began")
def latest_date(request: HttpRequest) -> dict[str, Any]:
    newest = sight_of(request).requests().order_by("-id").values_list("started_at", flat=True).first()
    return {"latestDate": newest.isoformat() if newest else None}


@api.get(
    "/requests/{uuid:request_id}", response={200: dict, 401: Error, 404: Error}, summary="One request, without bodies"
)
def one_request(request: HttpRequest, request_id: uuid.UUID) -> Any:
    """Another team's and one that was never made look the same."""
    row = sight_of(request).requests().filter(id=request_id).values(*SUMMARY_COLUMNS).first()
    if row is None:
        return api.create_response(request, {"error": "There is no such request."}, status=404)
    return {"request": summary(row) | {"detail": detail(request_id)}, "fullId": str(request_id)}


@api.post(
    "/grade-prompt",
    # A key alone: what a browser sends by itself must not spend money.
    auth=by_key,
    response={200: dict, 400: Error, 401: Error, 404: Error, 422: dict},
    summary="Ask for the grade of a prompt, or for what came of it",
)
def grade_prompt(request: HttpRequest, asked: GradeRequest) -> Any:
    """The words sent, or those of the request named. The same words are graded once: ask again until `isProcessing` is
    false."""
    try:
        return prompt_grade(ask_for(sight_of(request), asked))
    except RequestLog.DoesNotExist:
        return api.create_response(request, {"error": "There is no such request."}, status=404)
    except NoWords as nothing:
        return api.create_response(request, {"error": f"There is nothing to grade: {nothing}."}, status=400)


def ask_for(sight: Sight, asked: GradeRequest) -> Grade:
    """Raises RequestLog.DoesNotExist and NoWords."""
    asker = Asker(Grade.Origin.API)
    if asked.requestId is not None:
        rows = sight.requests().select_related("header_record")
        return ask_for_request(rows.get(id=asked.requestId), asker)
    body = {"model": "-", "max_tokens": 1, "messages": asked.messages, "system": asked.systemMessages or []}
    (team,) = sight.teams or ("",)
    return ask_for_words(words_of_body(Dialect.ANTHROPIC, json.dumps(body).encode()), team, asker)


@api.get("/stats", response={200: dict, 401: Error, 422: dict}, summary="Tokens and requests by day")
def daily(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    found = sorted(sums(request, times, TIME, "model"), key=lambda figures: figures.group[TIME])
    days = groupby(found, key=lambda figures: figures.group[TIME].astimezone(datetime.UTC).date())
    return {"dailyStats": [{"date": day.isoformat(), **counted(list(parts))} for day, parts in days]}


@api.get("/stats/hourly", response={200: dict, 401: Error, 422: dict}, summary="Tokens and requests by hour")
def hourly(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    found = sorted(sums(request, times, TIME, "model"), key=lambda figures: figures.group[TIME])
    hours = []
    for hour, parts in groupby(found, key=lambda figures: figures.group[TIME].astimezone(datetime.UTC)):
        hours.append({"hour": hour.hour, "label": f"{hour:%Y-%m-%d %H:00}", **counted(list(parts))})
    return {
        "hourlyStats": hours,
        "todayTokens": sum(hour["tokens"] for hour in hours),
        "todayRequests": sum(hour["requests"] for hour in hours),
    }


@api.get("/stats/models", response={200: dict, 401: Error, 422: dict}, summary="Tokens and requests by model")
def models(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    found = counted(sums(request, times, "model"))["models"]
    rows = [{"model": model, **entry} for model, entry in found.items()]
    return {"modelStats": sorted(rows, key=lambda row: -row["tokens"])}


@api.get("/stats/providers", response={200: dict, 401: Error, 422: dict}, summary="Requests and tokens by provider")
def providers(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    return {
        "providers": [
            {
                "provider": figures.group["provider"],
                "requests": figures.sums["requests"],
                "inputTokens": figures.sums["input_tokens"],
                "outputTokens": figures.sums["output_tokens"],
                "totalTokens": tokens_of(figures),
                "errorCount": figures.sums["errors"],
            }
            for figures in sums(request, times, "provider")
        ]
    }


@api.get("/stats/performance", response={200: dict, 401: Error, 422: dict}, summary="Latencies in milliseconds")
def performance(request: HttpRequest, times: Query[Times]) -> dict[str, Any]:
    """By provider and model, within 5 %."""
    return {
        "performance": [
            {
                "provider": figures.group["provider"],
                "model": figures.group["model"],
                "count": figures.sums["requests"],
                **{f"p{share:.0f}": whole(figures.latency("duration", share / 100)) for share in (50, 95, 99)},
                "firstByteP50Ms": whole(figures.latency("first_byte", 0.5)),
            }
            for figures in sums(request, times, "provider", "model", latencies=True)
        ]
    }


def sums(request: HttpRequest, times: Times, *group: str, latencies: bool = False) -> list[Figures]:
    """Of whole hours that hold the time asked for."""
    until = bounded(times.end or datetime.datetime.now(datetime.UTC))
    since = bounded(times.start) if times.start else until - DAYS
    floor = since.replace(minute=0, second=0, microsecond=0)
    ceiling = until.replace(minute=0, second=0, microsecond=0)
    span = Span(floor, ceiling if ceiling == until else ceiling + HOUR)
    return read_figures(span, group, teams=sight_of(request).teams, latencies=latencies)


def bounded(moment: datetime.datetime) -> datetime.datetime:
    """In UTC, and between the years that both PostgreSQL and an id's time know."""
    first, last = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC), datetime.datetime(9000, 1, 1, tzinfo=datetime.UTC)
    return min(max(moment, first), last).astimezone(datetime.UTC)
