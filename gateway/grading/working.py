"""The worker's side of grading: take what waits, ask the judge, write down what it said.

A grade that is being worked on is held by a lock of the database session: the lock goes with a worker that is killed,
and the next one takes the grade up. It first looks in the history for an answer the judge gave before, so that nothing
is asked, or paid, twice that was answered once.
"""

from __future__ import annotations

import datetime
import secrets
import uuid
from decimal import Decimal

import structlog
from django.utils import timezone

from gateway.grading.asking import words_to_grade
from gateway.grading.judge import Answered, answered_before, ask_judge
from gateway.grading.prompt_text import NoWords
from gateway.grading.rubric import judge_request
from gateway.grading.verdict import AGAIN, Failure, Verdict, read_verdict
from gateway.history.id_times import first_id_at
from gateway.history.store import NotInHistory
from gateway.models import Grade, GradingSettings, RequestLog
from gateway.models.at_rest import seal_json
from gateway.models.session_lock import held
from gateway.policy.errands import GRADING

log = structlog.get_logger(__name__)

LOCK = 0x67726164
MOST_ATTEMPTS = 3
PAUSES = (datetime.timedelta(seconds=5), datetime.timedelta(seconds=60))
LOADING = datetime.timedelta(seconds=5)
"""How long an answer may take from its end to the history; only then it is known not to be there."""
COSTS_WITHIN = datetime.timedelta(days=1)
LOADED = datetime.timedelta(seconds=30)
MOST_SETTLED = 200
OPEN = (Grade.State.WAITING, Grade.State.RUNNING)


class NotKnownYet(Exception):
    """Whether a worker that ended had an answer."""


def grade_next() -> bool:
    """Work on one grade that waits; whether there was one."""
    now = timezone.now()
    waiting = Grade.objects.filter(state__in=OPEN, not_before__lte=now).order_by("not_before", "pk")
    for pk in waiting.values_list("pk", flat=True)[:50]:
        with held(LOCK, pk) as is_ours:
            if not is_ours:
                continue
            grade = Grade.objects.select_related("rubric").get(pk=pk)
            if grade.state in OPEN and grade.not_before <= timezone.now():
                work(grade)
                return True
    return False


def work(grade: Grade) -> None:
    try:
        keep(grade, *judged(grade))
    except NotKnownYet:
        Grade.objects.filter(pk=grade.pk).update(not_before=timezone.now() + LOADING)
    except Failure as failure:
        fail(grade, failure)


def judged(grade: Grade) -> tuple[Verdict, Answered]:
    """Raises Failure and NotKnownYet."""
    grading = GradingSettings.objects.first()
    if grading is None or not grading.judge_model:
        raise Failure("no_judge", "the grading settings name no model")
    answered = earlier_answer(grade) or ask_anew(grade, grading)
    return read_verdict(answered.text, grade.marks[-1]), answered


def earlier_answer(grade: Grade) -> Answered | None:
    """What the judge said to a worker that was killed. Raises NotKnownYet while that may still be on its way."""
    if grade.state != Grade.State.RUNNING or grade.tried_at is None:
        return None
    found = answered_before(names_of(grade)[-1], grade.tried_at - LOADING)
    if found is None and timezone.now() - grade.tried_at < LOADING:
        raise NotKnownYet
    return found


def ask_anew(grade: Grade, grading: GradingSettings) -> Answered:
    """Raises Failure."""
    try:
        words = words_to_grade(grade)
    except NoWords as nothing:
        raise Failure("no_words", str(nothing)) from nothing
    except NotInHistory as gone:
        raise Failure("request_gone", str(gone)) from gone
    begin_attempt(grade)
    body = judge_request(grading.judge_model, grade.rubric.instructions, words, grade.marks[-1])
    return ask_judge(grading, body, names_of(grade)[-1], grade.team)


def begin_attempt(grade: Grade) -> None:
    """From here on the next worker knows that something was asked, and by which name."""
    grade.attempts += 1
    grade.state = Grade.State.RUNNING
    grade.tried_at = timezone.now()
    grade.marks = [*grade.marks, secrets.token_hex(8)]
    grade.save(update_fields=["attempts", "state", "tried_at", "marks"])


def names_of(grade: Grade) -> list[str]:
    """Of the requests to the judge, one for each attempt."""
    return [f"grade-{grade.pk}-{mark}" for mark in grade.marks]


def keep(grade: Grade, verdict: Verdict, answered: Answered) -> None:
    grade.state = Grade.State.DONE
    grade.problem = grade.problem_detail = ""
    grade.score = verdict.score
    grade.points = {name: entry["score"] for name, entry in verdict.criteria.items()}
    grade.said = seal_json(
        {
            "feedback": verdict.feedback,
            "improved_prompt": verdict.improved_prompt,
            "criteria": {name: entry["feedback"] for name, entry in verdict.criteria.items()},
        }
    )
    grade.judge_model = answered.model
    grade.graded_at = timezone.now()
    grade.save(
        update_fields=[
            "state", "problem", "problem_detail", "score", "points", "said", "judge_model", "graded_at",
        ]
    )  # fmt: skip


def fail(grade: Grade, failure: Failure) -> None:
    """Again later where that may mend it; otherwise it has failed, by name."""
    if failure.name in AGAIN and grade.attempts < MOST_ATTEMPTS:
        grade.state = Grade.State.WAITING
        grade.not_before = timezone.now() + PAUSES[min(max(grade.attempts - 1, 0), len(PAUSES) - 1)]
    else:
        grade.state = Grade.State.FAILED
        grade.graded_at = timezone.now()
    grade.problem, grade.problem_detail = failure.name, failure.detail[:2_000].replace("\0", "")
    grade.save(update_fields=["state", "not_before", "problem", "problem_detail", "graded_at"])
    log.warning("a prompt was not graded", grade=grade.pk, problem=failure.name, attempts=grade.attempts)


def settle_costs() -> int:
    """Costs become known when the judge's answers are in the history; how many did."""
    now = timezone.now()
    recent = Grade.objects.filter(graded_at__gte=now - COSTS_WITHIN, cost_usd=None, attempts__gt=0)
    settled = 0
    for grade in recent.order_by("-graded_at")[:MOST_SETTLED]:
        asked = questions_of(grade)
        costs = [cost for _, cost in asked if cost is not None]
        is_whole = len(asked) >= len(grade.marks) or (grade.graded_at or now) < now - LOADED
        if asked and is_whole and len(costs) == len(asked):
            found = {"cost_usd": sum(costs), "judge_requests": [id for id, _ in asked]}
            settled += Grade.objects.filter(pk=grade.pk).update(**found)
    return settled


def questions_of(grade: Grade) -> list[tuple[uuid.UUID, Decimal | None]]:
    """What the judge was asked for it, and the cost, as far as the history holds it."""
    rows = RequestLog.objects.filter(
        id__gte=first_id_at(grade.asked_at - LOADING),
        id__lt=first_id_at((grade.graded_at or timezone.now()) + LOADED),
        purpose=GRADING,
        client_request_id__in=names_of(grade),
    )
    return list(rows.order_by("id").values_list("id", "response__cost_usd"))
