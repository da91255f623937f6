"""What all pages have in common in their address: the time, and the team, key, model and provider looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.db.models import QuerySet

from gateway.admin.request_filter import TEXT_BOUND, moment
from gateway.history.figures import Span
from gateway.history.id_times import first_id_at
from gateway.history.visibility import Sight
from gateway.models import RequestLog

HOUR = timedelta(hours=1)
RANGES = {
    "15m": ("15 min", timedelta(minutes=15)),
    "1h": ("1 h", HOUR),
    "5h": ("5 h", 5 * HOUR),
    "24h": ("24 h", 24 * HOUR),
    "7d": ("7 d", 7 * 24 * HOUR),
    "30d": ("30 d", 30 * 24 * HOUR),
}
USUAL = "24h"
COLUMNS = {"team": "team", "key": "access_key", "model": "model", "provider": "provider"}
"""Dimensions of the scope, and their columns in rows and sums."""
TIME = "time"
TIME_FIELDS = ("range", "since", "until")


@dataclass(frozen=True, slots=True)
class Scope:
    """An empty string leaves a dimension open. `since` and `until`, ISO 8601 and UTC, replace the range; `until` is
    excluded."""

    range: str = USUAL
    since: str = ""
    until: str = ""
    team: str = ""
    key: str = ""
    model: str = ""
    provider: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Scope:
        # PostgreSQL's text holds no NUL: nothing stored can match one.
        values = {item.name: query.get(item.name, "").replace("\0", "").strip()[:TEXT_BOUND] for item in fields(cls)}
        since, until = moment(values["since"]), moment(values["until"])
        if values["range"] not in RANGES:
            values["range"] = USUAL
        if since is None or (until is not None and until <= since):
            values["since"] = values["until"] = ""
        elif until is None:
            values["until"] = ""
        return cls(**values)

    def pairs(self) -> Iterator[tuple[str, str]]:
        for item in fields(self):
            value = getattr(self, item.name)
            if value and not (item.name == "range" and (value == USUAL or self.since)):
                yield item.name, value

    def address(self, **changes: str) -> str:
        """The query string, `?` included, of this scope with some of it, or more, changed."""
        values = {name: value for name, value in (dict(self.pairs()) | changes).items() if value}
        return f"?{urlencode(values)}" if values else "?"

    @property
    def kept(self) -> str:
        """The query string a link to another page carries on; empty when all is as usual."""
        return "" if (found := self.address()) == "?" else found

    @property
    def title(self) -> str:
        """The time in words."""
        if not self.since:
            return f"last {RANGES[self.range][0]}"
        return f"{self.since} to {self.until or 'now'}"

    def bounds(self, now: datetime | None = None) -> tuple[datetime, datetime]:
        """From, and until before. Two datetimes with a zone."""
        now = now or datetime.now(UTC)
        since = moment(self.since)
        if since is not None:
            return since, moment(self.until) or now
        return now - RANGES[self.range][1], now

    def before(self, now: datetime | None = None) -> tuple[datetime, datetime]:
        """The stretch of the same length before that, to compare with."""
        since, until = self.bounds(now)
        return since - (until - since), since

    def hours(self, now: datetime | None = None) -> Span:
        """Whole hours that hold the time, for the sums by hour."""
        return whole_hours(*self.bounds(now))

    def only(self) -> dict[str, str]:
        """What the sums are narrowed to, as `read_figures` takes it."""
        return {column: value for name, column in COLUMNS.items() if (value := getattr(self, name))}

    def rows(self, sight: Sight, now: datetime | None = None) -> QuerySet[RequestLog]:
        """The requests of this scope that may be seen; each dimension narrows by its own index."""
        since, until = self.bounds(now)
        rows = sight.requests().filter(id__gte=first_id_at(since), **self.only())
        # Now moves on: whoever asked for the newest wants what came a moment ago, too.
        return rows.filter(id__lt=first_id_at(until)) if self.until else rows


def whole_hours(since: datetime, until: datetime) -> Span:
    floor = since.replace(minute=0, second=0, microsecond=0)
    ceiling = until.replace(minute=0, second=0, microsecond=0)
    return Span(floor, ceiling if ceiling == until else ceiling + HOUR)
