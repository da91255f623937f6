"""Grades, alerts and pins of a month in the history of the demonstration, which has no judge and nothing that breaks.

A picture needs some: `manage.py shell -c` runs `fill` in the place of the Turnlog that is photographed.
"""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.models import PinnedRequest
from gateway.grading.asking import Asker, ask_for_request
from gateway.grading.prompt_text import NoWords
from gateway.grading.rubric import CRITERIA
from gateway.models import Alert, AlertRule, Grade, GradingSettings, RequestLog
from gateway.models.at_rest import seal_json

FILL = "from tests.e2e.whole_day.watched_over import fill; fill()"
JUDGE = "claude-haiku-4-8"
FEEDBACK = "Says what is to be done and where. It does not say how anybody would know that it is done."
IMPROVED = "Name the test that fails today and has to pass, and the files that may change."
ALERTS = (("breaker-open", "critical", 300, 1.0), ("errors-over-5-percent", "warning", 26, 7.4))
"""Rule, severity, hours since it opened, value; each was over after twelve minutes."""
STEP = 9
"""Of so many requests one is looked at."""
NOTES = (
    "The cache missed here, and the tools had only changed their order",
    "A good question: short, and it names the file",
    "Show this in the review: eleven reads of the same file",
)
"""What requests are pinned for."""


def fill() -> None:
    GradingSettings.objects.update_or_create(defaults={"judge_model": JUDGE, "sample_percent": 5})
    dice = random.Random(7)
    rows = RequestLog.objects.filter(outcome="completed").select_related("header_record").order_by("id")
    for row in rows[::STEP]:
        try:
            grade = ask_for_request(row, Asker(Grade.Origin.SAMPLE))
        except NoWords:
            continue
        judge(grade, row, dice)
    for name, severity, hours, value in ALERTS:
        alert(name, severity, hours, value)
    owner = User.objects.get(username="admin")
    for row, note in zip(rows.reverse()[::STEP], NOTES, strict=False):
        PinnedRequest.objects.get_or_create(owner=owner, request_id=row.id, defaults={"note": note})


def judge(grade: Grade, row: RequestLog, dice: random.Random) -> None:
    points = {name: dice.choice((2, 3, 3, 4, 4, 5)) for name in CRITERIA}
    Grade.objects.filter(pk=grade.pk).update(
        state=Grade.State.DONE,
        score=round(sum(points.values()) / len(points)),
        points=points,
        said=seal_json(
            {"feedback": FEEDBACK, "improved_prompt": IMPROVED, "criteria": dict.fromkeys(CRITERIA, FEEDBACK)}
        ),
        judge_model=JUDGE,
        asked_at=row.started_at,
        graded_at=row.started_at + timedelta(seconds=20),
        cost_usd=Decimal("0.0041"),
        attempts=1,
    )


def alert(name: str, severity: str, hours: int, value: float) -> None:
    rule = AlertRule.objects.get(name=name)
    opened = timezone.now() - timedelta(hours=hours)
    Alert.objects.create(
        rule=rule,
        rule_name=name,
        metric=rule.metric,
        condition=rule.condition,
        severity=severity,
        subject="anthropic",
        state=Alert.State.RESOLVED,
        since=opened - timedelta(minutes=5),
        opened_at=opened,
        resolved_at=opened + timedelta(minutes=12),
        value=value,
        last_value=value,
    )
