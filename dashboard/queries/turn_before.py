"""The turn before a request, and what of its messages stood in that one already."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from gateway.history.partitions import month_of
from gateway.history.transcript import TURNS_SHOWN
from gateway.models import RequestLog

REWRITTEN: Final = 40
"""Messages at the end of the turn before that this one may have left out."""
# What stands behind OFFSET 0 is looked up node by node; see `gateway/history/conversation/prompts.py`.
FRESH: Final = """
WITH RECURSIVE own AS (
    SELECT digest, parent, 0 AS steps FROM gateway_node
    WHERE month = %(month)s AND scope = %(scope)s AND digest = %(leaf)s
    UNION ALL
    SELECT node.digest, node.parent, steps + 1 FROM own CROSS JOIN LATERAL (
        SELECT digest, parent FROM gateway_node
        WHERE month = %(month)s AND scope = %(scope)s AND digest = own.parent OFFSET 0
    ) node WHERE steps < %(own)s
), before AS (
    SELECT digest, parent, 0 AS steps FROM gateway_node
    WHERE month = %(month)s AND scope = %(scope)s AND digest = %(before)s
    UNION ALL
    SELECT node.digest, node.parent, steps + 1 FROM before CROSS JOIN LATERAL (
        SELECT digest, parent FROM gateway_node
        WHERE month = %(month)s AND scope = %(scope)s AND digest = before.parent OFFSET 0
    ) node WHERE steps < %(rewritten)s
)
SELECT min(own.steps) FROM own JOIN before USING (digest)
"""


class TurnBefore(NamedTuple):
    """`fresh` messages at the end are not among those it begins with too."""

    id: UUID
    fresh: int


def turn_before(row: RequestLog) -> TurnBefore | None:
    """The request before in the same lane, when this one begins with its messages, or most of them; None where that is
    unknown, or more is new than a page shows."""
    before = lane_before(row)
    if before is None or month_of(before.id.bytes) != month_of(row.id.bytes):
        return None
    values: dict[str, Any] = {
        "month": month_of(row.id.bytes),
        "scope": row.scope,
        "leaf": bytes(row.messages_leaf or b""),
        "before": bytes(before.messages_leaf or b""),
        "own": TURNS_SHOWN,
        "rewritten": REWRITTEN,
    }
    with connection.cursor() as cursor:
        cursor.execute(FRESH, values)
        (fresh,) = cursor.fetchone()
    return None if fresh is None else TurnBefore(before.id, fresh)


def lane_before(row: RequestLog) -> RequestLog | None:
    """The newest one before of the same session and agent that said something else."""
    if not row.session_id or row.messages_leaf is None:
        return None
    lane = RequestLog.objects.filter(
        session_id=row.session_id, team=row.team, scope=row.scope, agent_id=row.agent_id, path=row.path,
        purpose=row.purpose, id__lt=row.id, messages_leaf__isnull=False,
    )  # fmt: skip
    return lane.exclude(messages_leaf=row.messages_leaf).only("id", "messages_leaf").order_by("-id").first()
