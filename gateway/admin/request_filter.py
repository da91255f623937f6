"""What a request list is narrowed to, read from and written to the address of the page.

Every filter leads an index of RequestLog, and dates become bounds on the time-ordered id, so that none reads the whole
table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import QuerySet
from django.utils.dateparse import parse_date, parse_datetime

from gateway.dialects.names import Outcome
from gateway.history.id_times import first_id_at
from gateway.models import RequestLog, ResponseLog

TEXT_BOUND = 300
FIRST_YEAR, LAST_YEAR = 1970, 2999


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """An empty string leaves a dimension open. `since` and `until` are dates or times in UTC; `until` is excluded."""

    outcome: str = ""
    model: str = ""
    status: str = ""
    client: str = ""
    session: str = ""
    since: str = ""
    until: str = ""
    q: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> RequestFilter:
        """From a page's query; `<field>__exact`, as the admin spells it, is understood too."""
        spelled = {"status": "status_code", "session": "session_id"}
        values = {}
        for item in fields(cls):
            other = f"{spelled.get(item.name, item.name)}__exact"
            # PostgreSQL's text holds no NUL: nothing stored can match one.
            values[item.name] = query.get(item.name, query.get(other, "")).replace("\0", "").strip()[:TEXT_BOUND]
        return cls(**values)

    def pairs(self) -> Iterator[tuple[str, str]]:
        for item in fields(self):
            value = getattr(self, item.name)
            if value:
                yield item.name, value

    def address(self, **changes: str) -> str:
        """The query string, `?` included, of this filter with some dimensions or page marks changed."""
        values = {name: value for name, value in (dict(self.pairs()) | changes).items() if value}
        return f"?{urlencode(values)}" if values else "?"

    @property
    def active(self) -> bool:
        return any(True for _ in self.pairs())

    def problems(self) -> list[str]:
        """What cannot be understood, in words for the page. Such a filter matches nothing, rather than everything."""
        found = []
        if self.status and not (self.status.isascii() and self.status.isdigit()):
            found.append("The status needs a number, such as 200.")
        if self.outcome and self.outcome not in {outcome.value for outcome in Outcome}:
            found.append("There is no such outcome.")
        found += [
            f"{label} needs a date such as 2026-01-31, or a time such as 2026-01-31T14:05."
            for label, text in (("From", self.since), ("Until", self.until))
            if text and moment(text) is None
        ]
        return found

    def apply(self, rows: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
        if self.problems():
            return rows.none()
        conditions: dict[str, Any] = {}
        for name, column in (
            ("outcome", "outcome"),
            ("model", "model"),
            ("client", "client"),
            ("session", "session_id"),
        ):
            if value := getattr(self, name):
                conditions[column] = value
        if self.status:
            conditions["status_code"] = min(int(self.status), 32_767)
        since, until = moment(self.since), moment(self.until)
        if since:
            conditions["id__gte"] = first_id_at(since)
        if until:
            conditions["id__lt"] = first_id_at(until)
        rows = rows.filter(**conditions)
        return search(rows, self.q) if self.q else rows


def search(rows: QuerySet[RequestLog], text: str) -> QuerySet[RequestLog]:
    """Rows one of whose ids is `text`. The kinds are asked in turn, each by its own index: an OR would use none."""
    identity = as_uuid(text)
    if identity and rows.filter(id=identity).exists():
        return rows.filter(id=identity)
    for column in ("session_id", "prompt_id"):
        if rows.filter(**{column: text}).exists():
            return rows.filter(**{column: text})
    return rows.filter(id__in=ResponseLog.objects.filter(upstream_request_id=text).values("pk"))


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def moment(text: str) -> datetime | None:
    """A date or a time in ISO 8601; without a zone it is UTC. None too where no request can be, and reckoning with it
    would leave the calendar."""
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001
    except ValueError:
        return None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
