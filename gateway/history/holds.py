"""Which exchanges legal holds keep back."""

from __future__ import annotations

from functools import reduce
from operator import or_

from django.db.models import Q

from gateway.models import LegalHold

FIELDS = ("session_id", "access_key", "team")


def held() -> Q | None:
    """A condition on RequestLog that is true of what is held; None when nothing is."""
    holds = [hold_condition(hold) for hold in LegalHold.objects.all()]
    return reduce(or_, holds) if holds else None


def hold_condition(hold: LegalHold) -> Q:
    return Q(**{name: value for name in FIELDS if (value := getattr(hold, name))})
