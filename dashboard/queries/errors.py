"""What fails, grouped by fingerprint: status, kind, outcome and model. Read from the newest failures of the time.

A kind may be muted for a while by whoever does not want to see it; others see it all the same.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from dashboard.access import Viewer
from dashboard.models import MutedError
from dashboard.queries.alerts import MUTES
from dashboard.queries.request_query import STATES
from dashboard.queries.requests import moment_of
from dashboard.scope import Scope
from gateway.history.veil import shown_text

LOOKED_AT: Final = 2_500
SPARKS: Final = 24
CLIENTS_SHOWN: Final = 3
READ: Final = (
    "id", "team", "status_code", "outcome", "model", "requested_model", "access_key", "client", "client_version",
    "response__error_type", "response__error_message",
)  # fmt: skip


@dataclass(slots=True)
class ErrorGroup:
    """Failures that look alike. `counts` are over the time, in equal parts."""

    status: int | None
    outcome: str
    kind: str
    model: str
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
        """What finds its requests, in the language of the list."""
        parts = [f"outcome:{self.outcome}"]
        parts += [f"status:{self.status}"] if self.status is not None else []
        parts += [f'error:"{self.kind}"'] if self.kind else []
        parts += [f'model:"{self.model}"'] if self.model else []
        return " ".join(parts)

    @property
    def frequent_clients(self) -> list[tuple[str, int]]:
        return self.clients.most_common(CLIENTS_SHOWN)


def read_errors(viewer: Viewer, scope: Scope, looked_at: int = LOOKED_AT) -> dict[str, Any]:
    """The template's context, of the newest `looked_at` failures: groups, the most frequent first. A message is shown
    to those who may read what was said: providers repeat parts of prompts in theirs."""
    since, until = scope.bounds()
    rows = scope.rows(viewer.figures).filter(STATES["failed"]).order_by("-id")
    found = list(rows.values_list(*READ)[:looked_at])
    groups: dict[tuple[Any, ...], ErrorGroup] = {}
    for row_id, team, status, outcome, model, asked, key, client, version, kind, message in found:
        print_ = (status, outcome, kind or "", model or asked or "")
        at = moment_of(row_id.int)
        group = groups.get(print_)
        if group is None:
            shown = shown_text(message, team) if message and viewer.rows.reads(team) else ""
            group = groups[print_] = ErrorGroup(
                status, outcome, kind or "", model or asked or "", at, row_id, shown, at
            )
        group.number += 1
        group.first = at
        group.keys.add(key)
        group.clients[f"{client or 'unknown'} {version}".strip()] += 1
        group.counts[min(SPARKS - 1, max(0, int((at - since) / (until - since) * SPARKS)))] += 1
    muted = dict(muted_by(viewer))
    for group in groups.values():
        group.muted_until = muted.get(group.query)
    ordered = sorted(groups.values(), key=lambda each: -each.number)
    return {
        "groups": [group for group in ordered if not group.muted_until],
        "muted": [group for group in ordered if group.muted_until],
        "mutes": [(name, title) for name, (title, _) in MUTES.items()],
        "number": len(found),
        "capped": len(found) == looked_at,
    }


def muted_by(viewer: Viewer) -> QuerySet[MutedError, tuple[str, datetime]]:
    return MutedError.objects.filter(owner=viewer.user, until__gt=timezone.now()).values_list("query", "until")
