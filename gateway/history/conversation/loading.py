"""The calls of a conversation read from the history: rows, paths through the prefix tree, marks and settings.

A fixed number of queries for each month and scope, whatever the number of calls, and no body is rebuilt: messages are
read once each, tools and system blocks when somebody asks what they say.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import QuerySet

from gateway.history.conversation.calls import Call, is_turn
from gateway.history.conversation.prompts import PromptReader
from gateway.history.conversation.turns import Turn, gather
from gateway.history.partitions import month_of
from gateway.history.store import NotInHistory
from gateway.history.veil import shown_value
from gateway.history.visibility import EVERYTHING, Sight
from gateway.models import RequestLog, ResponseLog

MOST_CALLS: Final = 5_000
NEARBY: Final = datetime.timedelta(hours=12)
MOST_NEARBY: Final = 1_000
OWN: Final = ""
"""The purpose of what a client asked for itself: no replay, no self-test."""

REQUEST_FIELDS: Final = (
    "id", "started_at", "dialect", "path", "session_id", "agent_id", "parent_agent_id", "prompt_id", "request_class",
    "window_id", "client", "client_version", "requested_model", "model", "betas", "is_streaming", "status_code",
    "outcome", "provider",
)  # fmt: skip
RESPONSE_FIELDS: Final = (
    "stop_reason", "stream_error", "error_message", "duration_ms", "first_byte_ms", "organization_id", "usage",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "service_tier",
    "speed", "cost_usd", "attempts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loaded:
    """The turns of one conversation, and the reader of what they are made of."""

    session_id: str | None
    turns: Sequence[Turn]
    reader: PromptReader
    truncated: bool = False
    """There are more calls than are read at once."""

    def call(self, exchange_id: uuid.UUID) -> Call:
        """Raises NotInHistory."""
        for turn in self.turns:
            for attempt in turn.attempts:
                if attempt.call.id == exchange_id:
                    return attempt.call
        raise NotInHistory(f"{exchange_id} asked no model, or is not there")


def load_session(session_id: str, sight: Sight = EVERYTHING) -> Loaded:
    """Everything recorded of a session that may be seen. Raises NotInHistory."""
    rows = list(
        with_responses(sight.requests().filter(session_id=session_id, purpose=OWN)).order_by("id")[: MOST_CALLS + 1]
    )
    if not rows:
        raise NotInHistory(f"there is no session {session_id} in the history")
    calls, reader = load_calls(rows[:MOST_CALLS])
    return Loaded(session_id, gather(calls, reader.read), reader, len(rows) > MOST_CALLS)


def load_around(exchange_id: uuid.UUID, sight: Sight = EVERYTHING) -> Loaded:
    """The conversation an exchange belongs to: its session, or, without one, what the prefix tree connects it with.
    Raises NotInHistory."""
    row = with_responses(sight.requests()).filter(id=exchange_id).first()
    if row is None:
        raise NotInHistory(f"there is no exchange {exchange_id} in the history")
    if row.session_id is not None:
        return load_session(row.session_id, sight)
    calls, reader = load_calls(sorted({*nearby(row, sight), row}, key=lambda found: found.id))
    return Loaded(None, connected(gather(calls, reader.read), exchange_id), reader)


def load_sessions(rows: QuerySet[RequestLog], most: int, sight: Sight = EVERYTHING) -> Iterator[Loaded]:
    """The newest `most` sessions that have a request among `rows`, whole."""
    found: dict[str, None] = {}
    for session_id in rows.exclude(session_id=None).order_by("-id").values_list("session_id", flat=True)[:MOST_CALLS]:
        if session_id is not None and len(found) < most:
            found.setdefault(session_id)
    for session_id in found:
        yield load_session(session_id, sight)


def nearby(row: RequestLog, sight: Sight) -> list[RequestLog]:
    """Calls of the same caller at about the same time that name no session either."""
    same = with_responses(sight.requests()).filter(
        session_id=None, purpose=row.purpose, team=row.team, access_key=row.access_key, client=row.client,
        dialect=row.dialect, id__gte=id_at(row.started_at - NEARBY), id__lt=id_at(row.started_at + NEARBY),
    )  # fmt: skip
    before = same.filter(id__lt=row.id).order_by("-id")[:MOST_NEARBY]
    after = same.filter(id__gt=row.id).order_by("id")[:MOST_NEARBY]
    return [*before, *after]


def id_at(moment: datetime.datetime) -> uuid.UUID:
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def connected(turns: Sequence[Turn], exchange_id: uuid.UUID) -> list[Turn]:
    """The turns that go on from the same root as the one of this exchange; only it when it asked no model."""
    roots = {turn: root_of(turn) for turn in turns}
    own = [turn for turn in turns if any(attempt.call.id == exchange_id for attempt in turn.attempts)]
    found = [turn for turn in turns if own and roots[turn] is roots[own[0]]]
    for number, turn in enumerate(found, 1):
        turn.number = number
    return found


def root_of(turn: Turn) -> Turn:
    while turn.parent is not None:
        turn = turn.parent
    return turn


def with_responses(rows: QuerySet[RequestLog]) -> QuerySet[RequestLog]:
    return rows.select_related("response").defer("tags", "user_agent", "response__parse_warnings", "response__message")


def load_calls(rows: Iterable[RequestLog]) -> tuple[list[Call], PromptReader]:
    """The calls among these rows that ask a model, in their order."""
    asked = [row for row in rows if is_turn(row.path)]
    places: dict[tuple[datetime.date, int], list[RequestLog]] = {}
    for row in asked:
        places.setdefault((month_of(row.id.bytes), row.scope), []).append(row)
    reader = PromptReader()
    for (month, scope), found in places.items():
        reader.load(month, scope, [(row.id, row.prefix_leaf, row.messages_leaf) for row in found])
    return [call_of(row, reader) for row in asked], reader


def call_of(row: RequestLog, reader: PromptReader) -> Call:
    response: ResponseLog | None = getattr(row, "response", None)
    fields: dict[str, Any] = {name: getattr(row, name) for name in REQUEST_FIELDS}
    if response is not None:
        fields |= {name: getattr(response, name) for name in RESPONSE_FIELDS}
        fields["error_message"] = shown_value(response.error_message, row.team)
    reply = response.reply if response is not None else None
    if reply is not None:
        fields["reply"] = reader.expect((month_of(row.id.bytes), row.scope), bytes(reply))
    prompt = reader.prompt(row.id)
    return Call(**fields, parts=prompt.parts, breakpoints=prompt.breakpoints, settings=prompt.settings)
