"""The time that is asked for, and the sums of it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Annotated

from django.http import HttpRequest
from ninja import Schema
from pydantic import AwareDatetime, Field

from gateway.history.figures import Figures, Span, read_figures
from gateway.history.id_times import HOUR
from gateway.read_api.access import caller_of

DAYS = datetime.timedelta(days=7)
Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class Times(Schema):
    """Without them the last seven days, in UTC; `end` is excluded."""

    start: AwareDatetime | None = None
    end: AwareDatetime | None = None

    def bounds(self) -> tuple[datetime.datetime, datetime.datetime]:
        until = bounded(self.end or datetime.datetime.now(datetime.UTC))
        return (bounded(self.start) if self.start else bounded(until - DAYS)), until

    def told(self) -> dict[str, str]:
        since, until = self.bounds()
        return {"startTime": since.isoformat(), "endTime": until.isoformat()}


def sums(request: HttpRequest, times: Times, *group: str, latencies: Sequence[str] = ()) -> list[Figures]:
    return read_figures(hours(times), group, teams=caller_of(request).figures.teams, latencies=latencies)


def hours(times: Times) -> Span:
    """Whole hours that hold the time asked for."""
    since, until = times.bounds()
    floor = since.replace(minute=0, second=0, microsecond=0)
    ceiling = until.replace(minute=0, second=0, microsecond=0)
    return Span(floor, ceiling if ceiling == until else ceiling + HOUR)


def bounded(moment: datetime.datetime) -> datetime.datetime:
    """In UTC, and between the years that both PostgreSQL and an id's time know."""
    first, last = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC), datetime.datetime(9000, 1, 1, tzinfo=datetime.UTC)
    return min(max(moment, first), last).astimezone(datetime.UTC)
