"""Erases a session, a key, a person or a team from the history, and certifies what was removed."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Q, QuerySet

from gateway.history.removal import Removed, remove
from gateway.history.retention import count_held, not_held
from gateway.models import ApiKey, ErasureCertificate, RequestLog


class Erasure(NamedTuple):
    """`selector` has one of the keys session, access_key, user, team."""

    selector: dict[str, str]
    asked_by: str
    reason: str


def selected(selector: dict[str, str]) -> QuerySet[RequestLog]:
    """The exchanges a selector means, and replays of them, which belong to nobody. Those of a user are those of the
    keys the user owns. Raises KeyError."""
    [(name, value)] = selector.items()
    if name == "user":
        keys = ApiKey.objects.filter(owner__username=value).values_list("name", flat=True)
        meant = Q(access_key__in=list(keys))
    else:
        meant = Q(**{{"session": "session_id", "access_key": "access_key", "team": "team"}[name]: value})
    replayed = RequestLog.objects.filter(meant).values("id")
    return RequestLog.objects.filter(meant | Q(replay_of__in=replayed))


def erase(erasure: Erasure) -> Iterator[Removed | ErasureCertificate]:
    """Remove what is not held; what was done so far after each batch, at last the certificate, of which the caller adds
    what was erased beside the history. Raises Busy."""
    began = datetime.datetime.now(datetime.UTC)
    rows = selected(erasure.selector)
    kept = count_held(rows)
    removed = Removed()
    for removed in remove(list(not_held(rows).order_by("id").values_list("id", flat=True))):
        yield removed
    yield ErasureCertificate.objects.create(
        asked_by=erasure.asked_by,
        reason=erasure.reason,
        selector=erasure.selector,
        began_at=began,
        exchanges=removed.exchanges,
        held=kept,
        bodies_bytes=removed.bodies_bytes,
        blobs=removed.blobs,
        responses=removed.responses,
        letters=removed.letters,
        first_id=removed.first_id,
        last_id=removed.last_id,
        ids_sha256=removed.digest.hexdigest(),
    )
