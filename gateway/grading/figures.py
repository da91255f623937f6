"""Grades in numbers, for pages: means, trends, and how often people agree with the judge."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, F, FloatField, Q, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, TruncDay

from gateway.grading.rubric import CRITERIA
from gateway.history.visibility import Sight
from gateway.models import Grade

FINAL = Coalesce("corrected_score", "score")
COUNTS = Q(suspect=False) | Q(corrected_score__isnull=False)
"""What may be averaged: not what spoke to the judge, unless a person has looked at it."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the grades a person corrected or confirmed: how many, the share the judge had the same points for, and the
    share within one point (0 to 1; None without any)."""

    looked_at: int
    same: float | None
    within_one: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    graded: int
    waiting: int
    failed: int
    suspect: int
    mean: float | None
    criteria: dict[str, float | None]
    cost_usd: Decimal | None
    agreement: Agreement


def visible_grades(sight: Sight) -> QuerySet[Grade]:
    grades = Grade.objects.all()
    return grades if sight.teams is None else grades.filter(team__in=sorted(sight.teams))


def usual_cost(sight: Sight, newest: int = 100) -> Decimal | None:
    """What one of the newest grades cost on average, in USD; None: of none it is known."""
    done = visible_grades(sight).filter(state=Grade.State.DONE, cost_usd__isnull=False).order_by("-pk")[:newest]
    found: Decimal | None = Grade.objects.filter(pk__in=done.values("pk")).aggregate(mean=Avg("cost_usd"))["mean"]
    return found


def summary_of(grades: QuerySet[Grade]) -> Summary:
    done = Q(state=Grade.State.DONE)
    means = {name: Avg(Cast(KT(f"points__{name}"), FloatField()), filter=done & COUNTS) for name in CRITERIA}
    found: dict[str, Any] = grades.aggregate(
        graded=Count("pk", filter=done),
        waiting=Count("pk", filter=Q(state__in=[Grade.State.WAITING, Grade.State.RUNNING])),
        failed=Count("pk", filter=Q(state=Grade.State.FAILED)),
        suspects=Count("pk", filter=done & Q(suspect=True)),
        mean=Avg(FINAL, filter=done & COUNTS),
        cost=Sum("cost_usd"),
        looked_at=Count("pk", filter=done & Q(corrected_score__isnull=False)),
        same=Count("pk", filter=done & Q(corrected_score=F("score"))),
        near=Count("pk", filter=done & Q(corrected_score__gte=F("score") - 1, corrected_score__lte=F("score") + 1)),
        **means,
    )
    looked_at = found["looked_at"]
    agreement = Agreement(
        looked_at,
        found["same"] / looked_at if looked_at else None,
        found["near"] / looked_at if looked_at else None,
    )
    criteria = {name: found[name] for name in CRITERIA}
    return Summary(
        found["graded"], found["waiting"], found["failed"], found["suspects"], found["mean"], criteria, found["cost"],
        agreement,
    )  # fmt: skip


def by_day(grades: QuerySet[Grade]) -> list[dict[str, Any]]:
    """day, team, number and mean, the oldest day first."""
    done = grades.filter(COUNTS, state=Grade.State.DONE).annotate(day=TruncDay("graded_at"))
    found: Any = done.values("day", "team").annotate(number=Count("pk"), mean=Avg(FINAL)).order_by("day", "team")
    return list(found)
