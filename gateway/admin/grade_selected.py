"""Asks for the grades of requests that were ticked in their list: first a page that says what it may cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest

from gateway.admin.request_filter import as_uuid
from gateway.grading.asking import Asker, ask_for_request
from gateway.grading.figures import usual_cost
from gateway.grading.prompt_text import NoWords
from gateway.history.visibility import Sight, visible_to
from gateway.models import Grade, GradedRequest, GradingSettings, RequestLog

MOST: Final = 50
"""As many as a page of the list has."""


def ticked(request: HttpRequest) -> list[RequestLog]:
    """Those of the ticked rows that may be read, the newest first."""
    ids = [found for text in request.POST.getlist("selected")[:MOST] if (found := as_uuid(text)) is not None]
    rows = visible_to(request.user).requests().select_related("header_record")
    return list(rows.filter(id__in=ids).order_by("-id"))


def confirmation(request: HttpRequest, rows: Sequence[RequestLog]) -> dict[str, Any]:
    """What the page says before anything is asked. `cost_usd`: what they may come to; None: not known."""
    sight: Sight = visible_to(request.user)
    graded = set(known_grades([row.id for row in rows]))
    fresh = sum(row.id not in graded for row in rows)
    each = usual_cost(sight)
    settings = GradingSettings.objects.first()
    return {
        "title": "Grade prompts",
        "rows": rows,
        "graded": graded,
        "fresh": fresh,
        "each_usd": each,
        "cost_usd": None if each is None else each * fresh,
        "judge_model": settings.judge_model if settings else "",
    }


def known_grades(ids: Sequence[UUID]) -> list[UUID]:
    """Those that have a grade, or wait for one; what failed is asked for again."""
    rows = GradedRequest.objects.filter(request_id__in=ids).exclude(grade__state=Grade.State.FAILED)
    return list(rows.values_list("request_id", flat=True))


def ask_for_ticked(request: HttpRequest, rows: Sequence[RequestLog]) -> None:
    """And tell how many there are, and why the others are not."""
    asker = Asker(Grade.Origin.ADMIN, request.user.get_username())
    reasons: dict[str, int] = {}
    asked = 0
    for row in rows:
        try:
            ask_for_request(row, asker)
            asked += 1
        except NoWords as nothing:
            reasons[str(nothing)] = reasons.get(str(nothing), 0) + 1
    if asked:
        messages.success(request, f"{asked} prompt{'s' * (asked != 1)} asked for. The worker grades one after another.")
    for reason, number in reasons.items():
        messages.warning(request, f"{number} not asked for: {reason}.")
