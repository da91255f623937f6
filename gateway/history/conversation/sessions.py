"""Sessions, the one with the newest request first. There is no table of them: they are found by walking the newest
requests until enough sessions were seen, and summed up from their own rows by the index on the session."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from gateway.history.conversation.attempts import block_texts
from gateway.history.conversation.prompts import PromptReader
from gateway.history.partitions import month_of
from gateway.history.transcript.injected import segments
from gateway.history.visibility import Sight
from gateway.models import RequestLog

SESSIONS_SHOWN: Final = 25
ROWS_AT_ONCE: Final = 1_500
ROWS_READ: Final = 30_000
SPARKS: Final = 40
TITLE: Final = 160

SUMS: Final = """
SELECT r.session_id, count(*), count(DISTINCT r.agent_id),
       count(*) FILTER (WHERE r.outcome <> 'completed' OR r.status_code >= 400),
       min(r.started_at), max(r.started_at), sum(s.cost_usd), sum(s.output_tokens),
       count(*) FILTER (WHERE s.usage IS NOT NULL AND s.cost_usd IS NULL),
       array_agg(DISTINCT coalesce(r.model, r.requested_model))
           FILTER (WHERE coalesce(r.model, r.requested_model) IS NOT NULL),
       min(r.client), min(r.access_key), min(r.team),
       (array_agg(r.id ORDER BY r.id) FILTER (WHERE r.messages_leaf IS NOT NULL AND r.agent_id IS NULL))[1],
       (array_agg(r.id ORDER BY r.id)
           FILTER (WHERE r.messages_leaf IS NOT NULL AND r.agent_id IS NULL AND r.tool_count > 0))[1],
       array_agg(s.input_tokens + coalesce(s.cache_read_tokens, 0) + coalesce(s.cache_write_tokens, 0) ORDER BY r.id)
           FILTER (WHERE r.agent_id IS NULL AND s.input_tokens IS NOT NULL)
FROM gateway_requestlog r LEFT JOIN gateway_responselog s ON s.id = r.id
WHERE r.session_id = ANY(%(sessions)s) AND r.purpose = '' {teams}
GROUP BY r.session_id
"""


@dataclass(slots=True)
class Session:
    """`context` is the size of the main agent's prompts in tokens, thinned out to at most `SPARKS`."""

    id: str
    requests: int
    agents: int
    errors: int
    began: datetime.datetime
    last: datetime.datetime
    cost_usd: Decimal | None
    output_tokens: int | None
    unpriced: int
    models: Sequence[str]
    client: str
    access_key: str
    team: str
    first: UUID | None
    context: Sequence[int] = field(default=())
    title: str = ""

    @property
    def duration_ms(self) -> float:
        return (self.last - self.began) / datetime.timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class SessionPage:
    """`older` is the id below which the next page begins, if there is one."""

    sessions: Sequence[Session]
    older: UUID | None = None


def read_sessions(
    rows: QuerySet[RequestLog], sight: Sight, before: UUID | None = None, size: int = SESSIONS_SHOWN
) -> SessionPage:
    """The sessions with a request among `rows`, those with the newest first; `before`: only those whose newest request
    in `rows` has a lower id. Their figures are of all their requests that may be seen."""
    found: dict[str, UUID] = {}
    for newest in walk(rows, before):
        fresh = [name for name in newest if name not in found]
        later = later_than(rows, fresh, before)
        found |= {name: newest[name] for name in fresh if name not in later}
        if len(found) > size:
            break
    shown = list(found)[:size]
    sessions = summed(shown, sight)
    write_titles(sessions)
    return SessionPage(sessions, found[shown[-1]] if len(found) > size else None)


def walk(rows: QuerySet[RequestLog], before: UUID | None) -> Iterator[dict[str, UUID]]:
    """Sessions and their newest requests, the newest first, out of some rows at a time, up to a bound."""
    named = rows.filter(session_id__isnull=False, purpose="").order_by("-id")
    for _ in range(ROWS_READ // ROWS_AT_ONCE):
        page = named if before is None else named.filter(id__lt=before)
        found = list(page.values_list("session_id", "id")[:ROWS_AT_ONCE])
        newest: dict[str, UUID] = {}
        for session_id, request_id in found:
            newest.setdefault(str(session_id), request_id)
        yield newest
        if len(found) < ROWS_AT_ONCE:
            return
        before = found[-1][1]


def later_than(rows: QuerySet[RequestLog], names: Sequence[str], before: UUID | None) -> set[str | None]:
    """Those of these sessions that stand on a page before this one."""
    if before is None or not names:
        return set()
    return set(rows.filter(session_id__in=names, id__gte=before).values_list("session_id", flat=True).distinct())


def summed(ids: Sequence[str], sight: Sight) -> list[Session]:
    """In the order of `ids`."""
    if not ids:
        return []
    teams = "" if sight.teams is None else "AND r.team = ANY(%(teams)s)"
    with connection.cursor() as cursor:
        cursor.execute(SUMS.format(teams=teams), {"sessions": list(ids), "teams": sorted(sight.teams or ())})
        found = {row[0]: session_of(row) for row in cursor.fetchall()}
    return [found[name] for name in ids if name in found]


SUMMED: Final = (
    "id", "requests", "agents", "errors", "began", "last", "cost_usd", "output_tokens", "unpriced", "models", "client",
    "access_key", "team",
)  # fmt: skip


def session_of(row: Sequence[Any]) -> Session:
    values = dict(zip(SUMMED, row, strict=False))
    first, first_with_tools, context = row[len(SUMMED) :]
    written = values["output_tokens"]
    values |= {"models": values["models"] or [], "output_tokens": None if written is None else int(written)}
    return Session(**values, first=first_with_tools or first, context=thinned(context or []))


def thinned(values: Sequence[int]) -> list[int]:
    """At most `SPARKS` of them, the largest of each stretch."""
    if len(values) <= SPARKS:
        return list(values)
    step = len(values) / SPARKS
    return [max(values[int(at * step) : max(int(at * step) + 1, int((at + 1) * step))]) for at in range(SPARKS)]


def write_titles(sessions: Sequence[Session]) -> None:
    """The first line a person said, out of the messages of each session's first request."""
    firsts = {session.first: session for session in sessions if session.first is not None}
    columns = ("id", "scope", "prefix_leaf", "messages_leaf")
    places: dict[tuple[datetime.date, int], list[tuple[Any, Any, Any]]] = {}
    for request_id, scope, prefix, messages in RequestLog.objects.filter(id__in=firsts).values_list(*columns):
        places.setdefault((month_of(request_id.bytes), scope), []).append((request_id, prefix, messages))
    reader = PromptReader()
    for (month, scope), leaves in places.items():
        # Only the messages: neither tools nor system blocks have a title in them.
        reader.load(month, scope, [(request_id, None, messages) for request_id, _, messages in leaves])
        for request_id, _, _ in leaves:
            firsts[request_id].title = title_of(reader, request_id)


def title_of(reader: PromptReader, request_id: UUID) -> str:
    for part in reader.prompt(request_id).parts:
        if part.role == "user":
            for text in block_texts(reader.read(part)):
                if said := first_line(text):
                    return said
    return ""


def first_line(text: str) -> str:
    """Of what a person said, without what a client put in; nothing for what is no text."""
    if text.startswith("["):
        return ""
    for tag, said in segments(text[:20_000]):
        line = next((line.strip() for line in said.splitlines() if line.strip()), "") if not tag else ""
        if line:
            return line if len(line) <= TITLE else line[: TITLE - 1] + "…"
    return ""
