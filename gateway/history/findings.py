"""What content rules find in stored text: each new text is looked at once, in the transaction that makes it searchable,
so that nothing is forgotten or told twice. Without a rule that costs one small query a batch."""

from __future__ import annotations

import datetime
import hmac
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db import connection

from gateway.models import ContentRule, RequestLog
from gateway.models.content import usable_rules
from gateway.policy import content_rules as rules
from gateway.policy.content_rules import ContentAction, Detector
from gateway.policy.secret_shapes import Spotted

STORE: Final = """
INSERT INTO gateway_finding AS known (rule, kind, severity, state, note, found_at, request_id, team, access_key, part,
    "offset", length, fingerprint, times, month, scope, digest)
VALUES (%s, %s, %s, 'open', '', now(), %s, %s, %s, %s, %s, %s, %s, 1, %s, %s, %s)
ON CONFLICT (month, scope, rule, fingerprint) DO UPDATE SET times = known.times + 1
RETURNING id, times
"""
FORGET_FINDINGS: Final = "DELETE FROM gateway_finding WHERE month = %b AND scope = %b AND digest = ANY(%b)"
FORGET_MONTH: Final = "DELETE FROM gateway_finding WHERE month = %s"


class StoredText(NamedTuple):
    """`exchange_id` is the first that brought it; `value` is the JSON of it, `text` what that says."""

    month: datetime.date
    scope: int
    digest: bytes
    kind: int
    exchange_id: uuid.UUID
    value: Any
    text: str


class Origin(NamedTuple):
    """Whose request brought a text."""

    team: str
    key: str
    model: str


class Noted(NamedTuple):
    """A finding that was not there before."""

    id: int
    rule: str
    kind: str
    severity: str
    request_id: uuid.UUID
    team: str
    alerts: bool


Tell = Callable[[Sequence[Noted]], object]


def note_findings(texts: Sequence[StoredText], tell: Tell = len) -> list[Noted]:
    """Those that are new, which `tell` is given. Within the transaction of the caller."""
    watching = usable_rules(ContentRule._default_manager.filter(enabled=True).values()) if texts else ()
    if not watching:
        return []
    spotted = [(text, rule, found) for text in texts for rule in watching if (found := rule.find(text.text))]
    origins = origins_of({text.exchange_id for text, _, _ in spotted})
    noted = []
    for text, rule, found in spotted:
        origin = origins.get(text.exchange_id)
        if origin is not None and rule.is_for(*origin):
            noted += list(store(text, rule, found, origin))
    tell(noted)
    return noted


def origins_of(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Origin]:
    rows = RequestLog.objects.filter(id__in=list(ids)).values_list("id", "team", "access_key", "requested_model")
    return {id: Origin(team, key, model or "") for id, team, key, model in rows}


def store(text: StoredText, rule: rules.ContentRule, found: Sequence[Spotted], origin: Origin) -> Iterator[Noted]:
    alerts = rule.action is not ContentAction.OBSERVE
    with connection.cursor() as cursor:
        for each in found:
            values = [rule.name, each.kind, each.severity.value, text.exchange_id, origin.team, origin.key, text.kind,
                      each.start, each.end - each.start, fingerprint(text, rule, each), *text[:3]]  # fmt: skip
            cursor.execute(STORE, values)
            id, times = cursor.fetchone()
            if times == 1:
                yield Noted(id, rule.name, each.kind, each.severity.value, text.exchange_id, origin.team, alerts)


def fingerprint(text: StoredText, rule: rules.ContentRule, found: Spotted) -> str:
    """The same for the same secret, wherever it stands; of anything else for the same place."""
    what = text.text[found.start : found.end].encode("utf-8", "replace")
    if rule.detector is not Detector.SECRETS:
        what = text.digest + b"%d" % found.start
    return hmac.digest(settings.SECRET_KEY.encode(), b"turnlog fingerprints of findings\0" + what, "sha256").hex()[:16]


def forget_month(month: datetime.date) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FORGET_MONTH, [month])
