"""Who may send a request once more, and what the page that asks says of it."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from dashboard.access import Viewer
from dashboard.queries.facts import response_of
from gateway.history.conversation.context import prompt_tokens
from gateway.history.replay import NotReplayable, Replay, plan_replay
from gateway.history.store import NotInHistory
from gateway.history.veil import current
from gateway.models import Member, RequestLog

OPERATING = (Member.Role.OPS, Member.Role.ADMIN)


def may_replay(viewer: Viewer, row: RequestLog) -> bool:
    """Who runs the gateway and reads every team: it spends money, and a replay belongs to no team. Nobody from whom
    anything of it is hidden, even if they may reveal it: what is hidden by team would not be in its replay. And from a
    process that serves the gateway too: it is asked on this machine."""
    veil = current.get()
    is_veiled = bool(veil and veil.hidden(row.team, reveals=False))
    if viewer.rows.teams is not None or is_veiled or "gateway" not in settings.TURNLOG.roles:
        return False
    places = Member.objects.filter(user_id=viewer.user.pk, team=None, role__in=OPERATING)
    return bool(viewer.user.is_superuser or places.exists())


def plan_of(row: RequestLog) -> tuple[Replay | None, str]:
    """What would be sent, or why it cannot be."""
    if not row.provider:
        return None, "it went to no provider"
    try:
        return plan_replay(row.id), ""
    except (NotReplayable, NotInHistory) as reason:
        return None, str(reason)


def told_of(row: RequestLog, plan: Replay | None, reason: str) -> dict[str, Any]:
    response = response_of(row)
    return {
        "row": row,
        "heading": row.requested_model or row.model or row.path,
        "response": response,
        "plan": plan,
        "size": len(plan.body) if plan else 0,
        "reason": reason,
        "prompt_tokens": prompt_tokens(response) if response else None,
    }
