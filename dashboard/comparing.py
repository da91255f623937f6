"""The stretch of time that a page's own is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.scope import Scope
from gateway.admin.request_filter import moment

WEEK = timedelta(days=7)
GIVEN = "time"
CHOICES = {"": "the time before", "week": "a week before", GIVEN: "another time"}


@dataclass(frozen=True, slots=True)
class Against:
    """`since` and `until`, as in a scope, are of a given time alone; without an `until` it is as long as the page's."""

    name: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Against:
        name = query.get("against", "")
        if name != GIVEN:
            return cls(name if name in CHOICES else "")
        since, until = query.get("against_since", ""), query.get("against_until", "")
        begin, end = moment(since), moment(until)
        if begin is None:
            return cls(GIVEN)
        return cls(GIVEN, since, until if end is not None and end > begin else "")

    def bounds(self, scope: Scope, now: datetime) -> tuple[datetime, datetime]:
        """From, and until before. A given time that nobody gave yet is that of a week before."""
        if not self.name:
            return scope.before(now)
        since, until = scope.bounds(now)
        begin = moment(self.since) or since - WEEK
        return begin, moment(self.until) or begin + (until - since)

    def pairs(self) -> dict[str, str]:
        """Of the address; an empty value is none."""
        return {"against": self.name, "against_since": self.since, "against_until": self.until}
