"""`/conversations…`: sessions, those that hold a text, and one with its turns and messages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Annotated, Any, Final

from django.http import HttpRequest
from ninja import Path, Query, Schema
from pydantic import AwareDatetime, Field

from gateway.history.conversation.loading import Loaded, load_session
from gateway.history.conversation.present import conversation_object
from gateway.history.conversation.sessions import Session, read_sessions
from gateway.history.store import NotInHistory
from gateway.read_api.access import Refused, caller_of, reader_of
from gateway.read_api.application import NARROWED, Error, api
from gateway.read_api.listing import Narrowed, in_time
from gateway.read_api.searching import SearchResults, Sought, find, told
from gateway.read_api.spans import Text

MESSAGES_SHOWN: Final = 500
TURNS_LOOKED_AT: Final = 300
NO_CONVERSATION = ("There is no such conversation.", "GET /api/v1/conversations lists yours.")


class Conversation(Schema):
    """`duration` is in milliseconds, `firstMessage` the first line a person said."""

    id: str
    requestCount: int
    startTime: str
    lastActivity: str
    duration: int
    firstMessage: str
    agentCount: int
    errorCount: int
    models: list[str]


class Conversations(Schema):
    """`next` is the `before` of the page after this."""

    conversations: list[Conversation]
    limit: int
    next: str | None = None


class ConversationMessage(Schema):
    role: str
    content: Any = None


class ConversationDetail(Schema):
    """`messages`: what the newest request of the main agent said, the newest 500 of them; `conversation`: the whole
    tree of agents, turns and attempts. `truncated`: there are more requests than are read at once."""

    id: str
    requestCount: int
    startTime: str | None = None
    lastActivity: str | None = None
    truncated: bool
    messageCount: int
    messages: list[ConversationMessage]
    conversation: dict[str, Any]


class ConversationMatch(Schema):
    conversationId: str
    matchCount: int
    lastActivity: str


class ConversationResults(SearchResults):
    results: list[ConversationMatch]


class Asked(Schema):
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    before: uuid.UUID | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 25


@api.get(
    "/conversations",
    response={200: Conversations, **NARROWED},
    exclude_none=True,
    summary="Sessions, the one with the newest request first",
)
def conversations(request: HttpRequest, asked: Query[Asked]) -> dict[str, Any]:
    caller = caller_of(request)
    rows = in_time(caller.figures, Narrowed(start=asked.start, end=asked.end))
    page = read_sessions(rows, caller.figures, asked.before, asked.limit)
    rows_told = [conversation(session, reads=caller.sight.reads(session.team)) for session in page.sessions]
    return {"conversations": rows_told, "limit": asked.limit, "next": str(page.older) if page.older else None}


def conversation(session: Session, *, reads: bool) -> dict[str, Any]:
    return {
        "id": session.id,
        "requestCount": session.requests,
        "startTime": session.began.isoformat(),
        "lastActivity": session.last.isoformat(),
        "duration": round(session.duration_ms),
        "firstMessage": session.title if reads else "",
        "agentCount": session.agents,
        "errorCount": session.errors,
        "models": list(session.models),
    }


@api.get(
    "/conversations/search",
    response={200: ConversationResults, 400: Error, **NARROWED},
    exclude_none=True,
    summary="Sessions that hold a text, the one with the newest match first",
)
def search_conversations(request: HttpRequest, sought: Query[Sought]) -> dict[str, Any]:
    """`matchCount` is of turns. A session may come again on a later page, with older matches."""
    found = find(request, sought, TURNS_LOOKED_AT, places=False)
    sessions: dict[str, dict[str, Any]] = {}
    following, last = found.older, None
    for hit in found.hits:
        session = hit.row["session_id"]
        if session not in sessions and len(sessions) == sought.limit:
            # This one, and what is older, is for the next page.
            following = last
            break
        last = uuid.UUID(hit.row["id"])
        if session is not None:
            row = {"conversationId": session, "matchCount": 0, "lastActivity": hit.row["started_at"]}
            sessions.setdefault(session, row)["matchCount"] += 1
    return told(sought, found) | {
        "results": list(sessions.values()),
        "total": len(sessions),
        "totalIsCapped": following is not None,
        "next": str(following) if following else None,
    }


@api.get(
    "/conversations/{session_id}",
    response={200: ConversationDetail, 404: Error, **NARROWED},
    summary="One session: its turns, and what was said",
)
def one_conversation(request: HttpRequest, session_id: Path[Text]) -> Any:
    try:
        loaded = load_session(session_id, reader_of(request).sight)
    except NotInHistory:
        raise Refused(404, *NO_CONVERSATION) from None
    tree = conversation_object(loaded)
    messages = list(messages_of(loaded))
    calls = [attempt.call for turn in loaded.turns for attempt in turn.attempts]
    shown = {
        "id": session_id,
        "requestCount": tree["requests"],
        "truncated": loaded.truncated,
        "messageCount": len(messages),
        "messages": messages[-MESSAGES_SHOWN:],
        "conversation": tree,
    }
    if calls:
        shown["startTime"] = calls[0].started_at.isoformat()
        shown["lastActivity"] = calls[-1].started_at.isoformat()
    # As it is: a message may hold what no schema does.
    return api.create_response(request, shown, status=200)


def messages_of(loaded: Loaded) -> Iterator[dict[str, Any]]:
    """Of the main agent's newest request."""
    calls = [attempt.call for turn in loaded.turns for attempt in turn.attempts]
    newest = next((call for call in reversed(calls) if call.agent_id is None and call.messages), None)
    for part in newest.messages if newest else ():
        read = loaded.reader.read(part)
        said = read.get("content", read) if isinstance(read, dict) else read
        yield {"role": part.role or "unknown", "content": said}
