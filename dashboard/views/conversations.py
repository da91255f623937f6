"""The list of sessions, one session, and what changed between two of its turns."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.access import Viewer, guarded, page
from dashboard.charts import spark_points
from dashboard.pages import Need
from dashboard.queries import conversation as reading
from dashboard.queries.conversation import RailAgent, Window
from dashboard.queries.copying import conversation_markdown
from dashboard.queries.views import views_of
from dashboard.scope import Scope
from dashboard.shell import show
from dashboard.views.request import plain
from gateway.admin.request_filter import as_uuid
from gateway.history.conversation.present import conversation_object
from gateway.history.conversation.sessions import Session, read_sessions
from gateway.history.store import NotInHistory
from gateway.history.transcript.blocks import Media


@page("conversations")
def conversations(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    scope = Scope.read(request.GET.dict())
    before = as_uuid(request.GET.get("before", ""))
    found = read_sessions(scope.rows(viewer.rows), viewer.rows, before)
    context = {
        "sessions": [(session, session_address(session), spark_points(session.context)) for session in found.sessions],
        "older": scope.address(before=str(found.older)) if found.older else "",
        "newest": scope.address() if before else "",
        "views": views_of(viewer, "conversations", request.GET.dict()),
    }
    return show(request, viewer, "conversations", "dashboard/conversations.html", context, scope=scope)


def session_address(session: Session) -> str:
    return reverse("d:conversation", args=[session.id])


@require_safe
@guarded(Need.ROWS)
def conversation(request: HttpRequest, viewer: Viewer, session_id: str) -> HttpResponse:
    """A session. `at`: around this call; `agent`: this agent's turns; `from`: from this turn on; `diff`: what changed
    before this call; `copy`: in other words; `part`: `turns` as one scrolls, `peek` for the drawer beside the list."""
    at = as_uuid(request.GET.get("at", "")) or as_uuid(request.GET.get("diff", ""))
    start = as_uuid(request.GET.get("from", ""))
    window = reading.load_window(
        viewer.rows, session_id, at or start, "newest" in request.GET or request.GET.get("part") == "peek"
    )
    if window is None:
        raise Http404("The history holds no such session.")
    if "copy" in request.GET:
        return copied(request.GET["copy"], window)
    if "diff" in request.GET and at is not None:
        return difference(request, viewer, session_id, window, at)
    return transcript(request, viewer, session_id, window, at, start)


@require_safe
@guarded(Need.ROWS)
def conversation_newer(request: HttpRequest, viewer: Viewer, session_id: str, last: UUID) -> HttpResponse:
    """Whether anything came after the call `last`; the page asks again until something has. What was said is not in it,
    and so it is not written down as a reading."""
    newer = reading.count_newer(viewer.rows, session_id, last)
    if newer is None:
        raise Http404("The history holds no such session.")
    context = {"session_id": session_id, "last": last, "newer": newer}
    return render(request, "dashboard/conversation/newer.html", context)


def transcript(
    request: HttpRequest, viewer: Viewer, session_id: str, window: Window, at: UUID | None, start: UUID | None
) -> HttpResponse:
    agents = reading.read_rail(window.loaded)
    agent = request.GET.get("agent", "")
    if at is not None:
        agent, start = place_of(agents, at) or (agent, start)
    peeked = request.GET.get("part") == "peek"
    if start is None and ("newest" in request.GET or peeked):
        start = newest_start(agents, agent)
    turns, following = reading.read_turns(window, agents, agent, start, media_address)
    context = {
        "session_id": session_id,
        "window": window,
        "agents": agents,
        "agent": agent,
        "turns": turns,
        "first_turn": start,
        "more": f"?{urlencode({'agent': agent, 'from': following, 'part': 'turns'})}" if following else "",
        "following": following,
        **figures(window, agents),
    }
    if peeked:
        return render(request, "dashboard/conversation/peek.html", context)
    if request.GET.get("part") == "turns":
        return render(request, "dashboard/conversation/turns.html", context)
    return show(request, viewer, "conversations", "dashboard/conversation/page.html", context)


def media_address(call_id: UUID, found: Media) -> str:
    return reverse("d:request_media", args=[call_id, found.digest])


def place_of(agents: list[RailAgent], call_id: UUID) -> tuple[str, UUID] | None:
    """The agent and the turn that a call belongs to."""
    for agent in reading.flat(agents):
        for turn in agent.turns:
            if any(attempt.call.id == call_id for attempt in turn.turn.attempts):
                return agent.id, turn.id
    return None


def newest_start(agents: list[RailAgent], agent_id: str) -> UUID | None:
    agent = reading.agent_of(agents, agent_id)
    return agent.turns[-reading.TURNS_SHOWN :][0].id if agent and agent.turns else None


def figures(window: Window, agents: list[RailAgent]) -> dict[str, Any]:
    """What stands above the transcript, of the window."""
    calls = [attempt.call for turn in window.loaded.turns for attempt in turn.attempts]
    every = list(reading.flat(agents))
    turns = [turn for agent in every for turn in agent.turns]
    costs = [call.cost_usd for call in calls if call.cost_usd is not None]
    lost = [turn.miss.lost_cost for turn in turns if turn.miss and turn.miss.lost_cost is not None]
    return {
        "calls": calls,
        "first_call": calls[0] if calls else None,
        "last_call": calls[-1] if calls else None,
        "agent_count": len(every),
        "cost_usd": sum(costs) if costs else None,
        "unpriced": len(calls) - len(costs),
        "misses": [turn for turn in turns if turn.miss],
        "lost_usd": sum(lost) if lost else None,
        "failed_tools": [turn for turn in turns if turn.failed_tools],
        "failed_turns": [turn for turn in turns if turn.failed],
        "compactions": [turn for turn in turns if "compaction" in turn.marks],
        "models": list(dict.fromkeys(call.model or call.requested_model for call in calls)),
    }


def difference(request: HttpRequest, viewer: Viewer, session_id: str, window: Window, call_id: UUID) -> HttpResponse:
    try:
        found = reading.read_difference(window.loaded, call_id)
    except NotInHistory as missing:
        raise Http404(str(missing)) from missing
    context = {"session_id": session_id, **found}
    return show(request, viewer, "conversations", "dashboard/conversation/difference.html", context)


def copied(form: str, window: Window) -> HttpResponse:
    if form == "json":
        return plain(json_of(window))
    if form == "markdown":
        return plain(conversation_markdown(window.loaded))
    raise Http404("It can be copied as markdown or json.")


def json_of(window: Window) -> str:
    return json.dumps(conversation_object(window.loaded), indent=2, ensure_ascii=False, default=str) + "\n"
