"""What goes by its age, and when: whole months where everybody's term is over, single exchanges where a team's is."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet, Sum

from gateway.history.holds import held
from gateway.history.id_times import first_id_at
from gateway.history.months import drop_month, existing_months, of_month, size_of
from gateway.history.partitions import next_month
from gateway.history.removal import remove
from gateway.models import DroppedMonth, ErasedExchange, RequestLog, RetentionTerm, WithdrawnResponse

TOMBSTONE_DAYS = 60
"""Longer than a spool keeps what was settled."""


@dataclass(frozen=True, slots=True)
class DueMonth:
    month: datetime.date
    exchanges: int
    held: int
    bytes: int
    """What its tables take."""


@dataclass(frozen=True, slots=True)
class DueTeam:
    """Exchanges of one team that are older than its term, in months that stay."""

    team: str
    before: datetime.datetime
    exchanges: int
    held: int
    raw_bytes: int


@dataclass(frozen=True, slots=True)
class Due:
    months: list[DueMonth]
    teams: list[DueTeam]


def due(now: datetime.datetime) -> Due:
    """What would go now. Changes nothing."""
    months = due_months(now)
    return Due([describe_month(month) for month in months], [describe_team(*term) for term in due_teams(now, months)])


def due_months(now: datetime.datetime) -> list[datetime.date]:
    """Months every exchange of which is older than the term of all; none without such a term."""
    common = RetentionTerm.objects.filter(team=None).first()
    if common is None:
        return []
    before = (now - datetime.timedelta(days=common.days)).date()
    dropped = set(DroppedMonth.objects.values_list("month", flat=True))
    over = [month for month in existing_months() if next_month(month) <= before]
    return [month for month in over if month not in dropped or not_held(of_month(month)).exists()]


def due_teams(
    now: datetime.datetime, gone: list[datetime.date]
) -> list[tuple[str, datetime.datetime, datetime.datetime]]:
    """(team, from, before) of what a team's term ends within months that stay."""
    first = next_month(gone[-1]) if gone else datetime.date(1970, 1, 1)
    since = datetime.datetime.combine(first, datetime.time(), datetime.UTC)
    terms = RetentionTerm.objects.exclude(team=None).select_related("team")
    return [(term.team.name, since, now - datetime.timedelta(days=term.days)) for term in terms if term.team]


def of_team(team: str, since: datetime.datetime, before: datetime.datetime) -> QuerySet[RequestLog]:
    return RequestLog.objects.filter(team=team, id__gte=first_id_at(since), id__lt=first_id_at(before))


def not_held(rows: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
    holds = held()
    return rows if holds is None else rows.exclude(pk__in=rows.filter(holds).values("pk"))


def count_held(rows: QuerySet[RequestLog]) -> int:
    holds = held()
    return 0 if holds is None else rows.filter(holds).count()


def describe_month(month: datetime.date) -> DueMonth:
    rows = of_month(month)
    return DueMonth(month, rows.count(), count_held(rows), size_of(month))


def describe_team(team: str, since: datetime.datetime, before: datetime.datetime) -> DueTeam:
    rows = of_team(team, since, before)
    raw = rows.aggregate(raw=Sum("request_bytes"))["raw"] or 0
    return DueTeam(team, before, rows.count(), count_held(rows), raw)


def keep_terms(now: datetime.datetime) -> Iterator[str]:
    """Remove what is due; a sentence for each step. May be broken off and run again. Raises Busy."""
    months = due_months(now)
    for month in months:
        drop_month(month, held())
        yield f"{month:%Y-%m} is gone"
    for team, since, before in due_teams(now, months):
        ids = list(not_held(of_team(team, since, before)).order_by("id").values_list("id", flat=True))
        for removed in remove(ids):
            yield f"{team}: {removed.exchanges} of {len(ids)} exchanges removed"
    settled = now - datetime.timedelta(days=TOMBSTONE_DAYS)
    ErasedExchange.objects.filter(erased_at__lt=settled).delete()
    there = RequestLog.objects.filter(id=OuterRef("exchange_id"))
    WithdrawnResponse.objects.filter(~Exists(there), withdrawn_at__lt=settled).delete()
