"""What fails, grouped by fingerprint: status, kind, outcome, model and the message without what varies in it. Read from
the newest failures of the time.

A group may be muted for a while by whoever does not want to see it; others see it all the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Left
from django.utils import timezone

from dashboard.access import Viewer
from dashboard.models import MutedError
from dashboard.queries.alerts import MUTES
from dashboard.queries.error_template import template_of
from dashboard.queries.request_query import STATES
from dashboard.queries.requests import moment_of
from dashboard.scope import Scope
from gateway.history.veil import shown_text

LOOKED_AT: Final = 2_500
LONGEST_READ: Final = 4_000
"""Characters of a message; a provider may send a page of HTML, and every redaction is tried on each."""
TAIL: Final = 500
SPARKS: Final = 24
CLIENTS_SHOWN: Final = 3
GROUPS_SHOWN: Final = 100
"""Of each list: messages that nobody can tell apart by rule would be a group each."""
LONGEST_MUTE: Final = 2_000
MARK: Final = "#"
"""Begins a mute of one template; one without it, as they were kept before, is of its kind whatever was said."""
READ: Final = (
    "id", "team", "status_code", "outcome", "model", "requested_model", "access_key", "client", "client_version",
    "response__error_type", "message",
)  # fmt: skip


@dataclass(slots=True)
class ErrorGroup:
    """Failures that look alike. `template` and `message`, one of those it stands for, are empty where nothing was said
    or none of it may be read. `counts` are over the time, in equal parts."""

    status: int | None
    outcome: str
    kind: str
    model: str
    template: str
    last: datetime
    example: UUID
    message: str
    first: datetime
    number: int = 0
    keys: set[str] = field(default_factory=set)
    clients: Counter[str] = field(default_factory=Counter)
    """With their versions."""
    muted_until: datetime | None = None
    counts: list[int] = field(default_factory=lambda: [0] * SPARKS)

    @property
    def query(self) -> str:
        """What finds its requests, in the language of the list, and those of the same kind with another message."""
        parts = [f"outcome:{self.outcome}"]
        parts += [f"status:{self.status}"] if self.status is not None else []
        parts += [f'error:"{self.kind}"'] if self.kind else []
        parts += [f'model:"{self.model}"'] if self.model else []
        return " ".join(parts)

    @property
    def mute(self) -> str:
        """What a mute of it is kept under."""
        digest = blake2b(self.template.encode("utf-8", "replace"), digest_size=8).hexdigest()
        return f"{MARK}{digest} {self.query}"[:LONGEST_MUTE].strip()

    @property
    def frequent_clients(self) -> list[tuple[str, int]]:
        return self.clients.most_common(CLIENTS_SHOWN)


def read_errors(viewer: Viewer, scope: Scope, looked_at: int = LOOKED_AT) -> dict[str, Any]:
    """The template's context, of the newest `looked_at` failures: groups, the most frequent first. A message is shown
    to those who may read what was said: providers repeat parts of prompts in theirs."""
    since, until = scope.bounds()
    rows = scope.rows(viewer.figures).filter(STATES["failed"]).order_by("-id")
    messages = rows.annotate(message=Left("response__error_message", LONGEST_READ))
    found = list(messages.values_list(*READ)[:looked_at])
    said = Messages(viewer)
    groups: dict[tuple[Any, ...], ErrorGroup] = {}
    for row_id, team, status, outcome, model, asked, key, client, version, kind, message in found:
        shown, template = said.read(message, team)
        print_ = (status, outcome, kind or "", model or asked or "", template)
        at = moment_of(row_id.int)
        group = groups.get(print_)
        if group is None:
            group = groups[print_] = ErrorGroup(*print_, last=at, example=row_id, message=shown, first=at)
        group.number += 1
        group.first = at
        group.keys.add(key)
        group.clients[f"{client or 'unknown'} {version}".strip()] += 1
        group.counts[min(SPARKS - 1, max(0, int((at - since) / (until - since) * SPARKS)))] += 1
    muted = dict(muted_by(viewer))
    for group in groups.values():
        group.muted_until = max(filter(None, map(muted.get, (group.mute, group.query))), default=None)
    ordered = sorted(groups.values(), key=lambda each: -each.number)
    seen = [group for group in ordered if not group.muted_until]
    unseen = [group for group in ordered if group.muted_until]
    return {
        "groups": seen[:GROUPS_SHOWN],
        "group_count": len(seen),
        "muted": unseen[:GROUPS_SHOWN],
        "muted_count": len(unseen),
        "mutes": [(name, title) for name, (title, _) in MUTES.items()],
        "number": len(found),
        "capped": len(found) == looked_at,
    }


class Messages:
    """What a viewer may see of the messages of failures, each worked out once."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._read: dict[tuple[str, str], tuple[str, str]] = {}

    def read(self, message: str | None, team: str) -> tuple[str, str]:
        """The message and its template, which is made of nothing else than what is shown."""
        if not message or not self._viewer.rows.reads(team):
            return "", ""
        known = self._read.get((team, message))
        if known is None:
            shown = shown_text(message, team)
            # Of half a secret at the end of what was read no redaction can know.
            shown = shown[:-TAIL] if len(message) == LONGEST_READ else shown
            known = self._read[team, message] = (shown, template_of(shown))
        return known


def muted_by(viewer: Viewer) -> QuerySet[MutedError, tuple[str, datetime]]:
    return MutedError.objects.filter(owner=viewer.user, until__gt=timezone.now()).values_list("query", "until")


def mutes_of(mute: str) -> tuple[str, ...]:
    """What a group is muted by: its own mute, and that of its kind."""
    return (mute, mute.partition(" ")[2]) if mute.startswith(MARK) else (mute,)
