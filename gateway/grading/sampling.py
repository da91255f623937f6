"""Grading by rule: a part of what people ask, chosen by the request's id, each request looked at once."""

from __future__ import annotations

import datetime
import hashlib
import uuid

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from gateway.dialects.names import Outcome
from gateway.grading.asking import Asker, ask_for_request
from gateway.grading.prompt_text import NoWords
from gateway.history.conversation.calls import TURN_PATHS
from gateway.history.id_times import first_id_at
from gateway.models import Grade, GradingSettings, RequestLog

SETTLED = datetime.timedelta(minutes=10)
"""Requests that began later may not be over, or not in the history."""
FARTHEST_BACK = datetime.timedelta(hours=1)
AT_ONCE = 500
BY_SAMPLE = Asker(Grade.Origin.SAMPLE)


def sample() -> int:
    """Look at what was admitted since the last time; how many grades were asked for. The rows and how far it came are
    one transaction: killed anywhere, either both are there or neither."""
    with transaction.atomic():
        grading = GradingSettings.objects.select_for_update(skip_locked=True).first()
        if grading is None or not grading.judge_model or grading.sample_percent <= 0:
            return 0
        until = timezone.now() - SETTLED
        since = max(grading.sampled_until or until - SETTLED, until - FARTHEST_BACK)
        rows = list(candidates(grading, since, until).select_related("header_record").order_by("id")[:AT_ONCE])
        left = grading.daily_limit - asked_today()
        asked = 0
        for row in rows:
            if asked < left and is_chosen(row.id, grading.sample_percent):
                asked += asked_for(row)
        grading.sampled_until = rows[-1].started_at if len(rows) == AT_ONCE else until
        grading.save(update_fields=["sampled_until"])
        return asked


def candidates(grading: GradingSettings, since: datetime.datetime, until: datetime.datetime) -> QuerySet[RequestLog]:
    rows = RequestLog.objects.filter(
        id__gte=first_id_at(since), id__lt=first_id_at(until), purpose="", outcome=Outcome.COMPLETED, status_code=200
    )
    return rows.filter(team__in=grading.sample_teams) if grading.sample_teams else rows


def asked_for(row: RequestLog) -> bool:
    """Whether that made a new grade."""
    if not row.path.endswith(TURN_PATHS):
        return False
    try:
        grade = ask_for_request(row, BY_SAMPLE)
    except NoWords:
        return False
    return grade.request_id == row.id


def is_chosen(exchange_id: uuid.UUID, percent: float) -> bool:
    drawn = int.from_bytes(hashlib.blake2b(exchange_id.bytes, digest_size=4).digest(), "big")
    return drawn < percent / 100 * 2**32


def asked_today() -> int:
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return Grade.objects.filter(origin=Grade.Origin.SAMPLE, asked_at__gte=midnight).count()
