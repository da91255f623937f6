"""What sessions and agents cost. There are as many of them as there is work, so they are summed up from their turns."""

from __future__ import annotations

import datetime
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum

from gateway.history.queries import matching
from gateway.history.visibility import EVERYTHING, Sight
from gateway.models import RequestLog
from gateway.policy.errands import COUNTED

SPENDERS = {"session": "session_id", "agent": "agent_id"}
TOKENS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "thinking")


def spent_by(
    spender: str,
    limit: int,
    *,
    session: str | None = None,
    sight: Sight = EVERYTHING,
    since: datetime.datetime | None = None,
    until: datetime.datetime | None = None,
) -> list[dict[str, Any]]:
    """The `limit` sessions or agents that cost most, dearest first; those of no known cost come last. Of one session
    its main agent is there too, without a name."""
    column = SPENDERS[spender]
    turns = usage_of(matching(sight=sight.of_figures(), since=since, until=until, session=session))
    if session is None:
        turns = turns.exclude(**{column: None})
    summed: Any = turns.values(**{spender: F(column)}).annotate(**sums())
    return list(summed.order_by(F("cost_usd").desc(nulls_last=True))[:limit])


def usage_of(turns: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
    """Without replays and self-tests."""
    return turns.filter(purpose__in=COUNTED)


def sums() -> dict[str, Any]:
    return {
        "requests": Count("pk"),
        "unpriced": Count("pk", filter=Q(response__usage__isnull=False, response__cost_usd=None)),
        "cost_usd": Sum("response__cost_usd"),
        **{f"{kind}_tokens": Sum(f"response__{kind}_tokens") for kind in TOKENS},
        "began": Min("started_at"),
        "last": Max("started_at"),
    }
