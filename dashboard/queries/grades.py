"""What the page of grades shows: means and their trend, and the grades themselves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F, QuerySet

from dashboard.access import Viewer
from dashboard.charts import Chart, Series
from dashboard.scope import Scope
from gateway.grading.asking import grade_of
from gateway.grading.figures import COUNTS, FINAL, by_day, summary_of, visible_grades
from gateway.grading.rubric import CRITERIA, TITLES
from gateway.grading.verdict import FAILURES
from gateway.history.veil import shown_value
from gateway.models import Grade, GradingSettings

SHOWN = 50
ORDERS = {"newest": "-pk", "worst": "final"}
STATES = {"done": ("done",), "waiting": ("waiting", "running"), "failed": ("failed",)}


def read_grades(viewer: Viewer, scope: Scope, query: Mapping[str, str]) -> dict[str, Any]:
    """The template's context."""
    grades = in_scope(viewer, scope)
    summary = summary_of(grades)
    order = query.get("order", "newest") if query.get("order") in ORDERS else "newest"
    state = query.get("state", "") if query.get("state") in STATES else ""
    listed, older = read_list(grades, order, state, query.get("before", ""))
    grading = GradingSettings.objects.first()
    return {
        "summary": summary,
        "means": [(TITLES[name], summary.criteria[name]) for name in CRITERIA],
        "chart": trend(by_day(grades)),
        "grades": [shown(grade) for grade in listed],
        "older": scope.address(order=order, state=state, before=older) if older else "",
        "orders": [(name, scope.address(order=name, state=state), name == order) for name in ORDERS],
        "states": [(name or "all", scope.address(order=order, state=name), name == state) for name in ("", *STATES)],
        "agreement_note": f"of {summary.agreement.looked_at:,} looked at",
        "grading": grading,
        "is_on": grading is not None and bool(grading.judge_model),
    }


def in_scope(viewer: Viewer, scope: Scope) -> QuerySet[Grade]:
    since, until = scope.bounds()
    grades = visible_grades(viewer.rows).filter(asked_at__gte=since, asked_at__lte=until)
    narrowed = {"team": scope.team, "access_key": scope.key}
    return grades.filter(**{column: value for column, value in narrowed.items() if value})


def read_list(grades: QuerySet[Grade], order: str, state: str, before: str) -> tuple[list[Grade], str]:
    """A page of them, and where the next one begins; the worst are shown without a second page."""
    rows: QuerySet[Any] = grades.select_related("rubric").annotate(final=FINAL)
    if state:
        rows = rows.filter(state__in=STATES[state])
    if order == "worst":
        worst = rows.filter(COUNTS, state=Grade.State.DONE).order_by(F("final").asc(nulls_last=True), "-pk")
        return list(worst[:SHOWN]), ""
    if before.isascii() and before.isdigit():
        rows = rows.filter(pk__lt=int(before[:18]))
    found = list(rows.order_by("-pk")[: SHOWN + 1])
    return found[:SHOWN], str(found[SHOWN - 1].pk) if len(found) > SHOWN else ""


def trend(days: list[dict[str, Any]]) -> Chart:
    times: list[datetime] = sorted({row["day"] for row in days})
    teams: dict[str, dict[datetime, float]] = {}
    for row in days:
        teams.setdefault(row["team"] or "no team", {})[row["day"]] = round(row["mean"], 2)
    series = [Series(team, [means.get(day) for day in times]) for team, means in sorted(teams.items())]
    return Chart("Mean score by team and day", times, series, kind="lines")


def shown(grade: Grade) -> dict[str, Any]:
    """A grade with what people call its parts."""
    words = shown_value(grade.words, grade.team)
    return {
        "row": grade,
        "failure": FAILURES.get(grade.problem, grade.problem),
        "criteria": [
            (TITLES[name], grade.points.get(name), words["criteria"].get(name, ""))
            for name in CRITERIA
            if name in grade.points
        ],
        "feedback": words["feedback"],
        "improved_prompt": words["improved_prompt"],
    }


def read_grade(request_id: UUID) -> dict[str, Any]:
    """What the part of a request's page shows; who may see the request is the caller's to know."""
    grade = grade_of(request_id)
    return {
        "request_id": request_id,
        "grade": shown(grade) if grade is not None else None,
        "waits": grade is not None and grade.state in STATES["waiting"],
        "scores": range(1, 6),
    }
