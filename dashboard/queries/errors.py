"""What fails, grouped by fingerprint: status, kind, outcome and model. Read from the newest failures of the time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from dashboard.access import Viewer
from dashboard.queries.request_query import STATES
from dashboard.queries.requests import moment_of
from dashboard.scope import Scope
from gateway.history.veil import shown_text

LOOKED_AT: Final = 2_500
SPARKS: Final = 24


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
    counts: list[int] = field(default_factory=lambda: [0] * SPARKS)

    @property
    def query(self) -> str:
        """What finds its requests, in the language of the list."""
        parts = [f"outcome:{self.outcome}"]
        parts += [f"status:{self.status}"] if self.status is not None else []
        parts += [f'error:"{self.kind}"'] if self.kind else []
        parts += [f'model:"{self.model}"'] if self.model else []
        return " ".join(parts)


def read_errors(viewer: Viewer, scope: Scope) -> dict[str, Any]:
    """The template's context: groups, the most frequent first. A message is shown to those who may read what was said:
    providers repeat parts of prompts in theirs."""
    since, until = scope.bounds()
    names = ("id", "team", "status_code", "outcome", "model", "requested_model", "access_key")
    rows = scope.rows(viewer.figures).filter(STATES["failed"]).order_by("-id")
    found = list(rows.values_list(*names, "response__error_type", "response__error_message")[:LOOKED_AT])
    groups: dict[tuple[Any, ...], ErrorGroup] = {}
    for row_id, team, status, outcome, model, asked, key, kind, message in found:
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
        group.counts[min(SPARKS - 1, max(0, int((at - since) / (until - since) * SPARKS)))] += 1
    ordered = sorted(groups.values(), key=lambda each: -each.number)
    return {"groups": ordered, "number": len(found), "capped": len(found) == LOOKED_AT}
