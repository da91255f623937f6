"""Figures that no sums are kept of: read from the newest requests, so many and no more."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection

from gateway.dialects.json_values import NotJSONError, read_json
from gateway.dialects.request_parts import PartKind
from gateway.dialects.tool_calls import tool_calls
from gateway.history.conversation.names import tool_name
from gateway.history.id_times import first_id_at
from gateway.history.lineage import parts_of
from gateway.history.manifests import read_blobs
from gateway.history.packing import Damaged
from gateway.history.partitions import month_of
from gateway.history.store import NotInHistory
from gateway.history.visibility import Sight

READ: Final = 10_000
ANSWERS_READ: Final = 500
SETS_OF_TOOLS: Final = 20
NEWEST: Final = """
SELECT id, scope, agent_id, request_class, provider, coalesce(model, routed_model, requested_model, 'unknown') AS model,
       prefix_leaf
FROM gateway_requestlog
WHERE id >= %(since)s AND id < %(until)s AND purpose = '' {teams} ORDER BY id DESC LIMIT %(read)s
"""
SUBAGENTS: Final = """
WITH newest AS MATERIALIZED ({newest})
SELECT coalesce(nullif(r.request_class, ''), 'subagent'), coalesce(nullif(r.provider, ''), 'unknown'), r.model,
       count(DISTINCT r.agent_id), count(*), sum(s.input_tokens), sum(s.output_tokens),
       coalesce(sum(coalesce(s.input_tokens, 0) + coalesce(s.output_tokens, 0) + coalesce(s.cache_read_tokens, 0)
           + coalesce(s.cache_write_tokens, 0)), 0), avg(s.duration_ms)
FROM newest r LEFT JOIN LATERAL (SELECT * FROM gateway_responselog a WHERE a.id = r.id LIMIT 1) s ON true
WHERE r.agent_id IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 5 DESC, 1, 2, 3
"""
COUNT: Final = "SELECT count(*) FROM ({newest}) AS newest"
OFFERED: Final = """
SELECT (array_agg(id))[1], count(*) FROM ({newest}) AS newest WHERE prefix_leaf IS NOT NULL
GROUP BY scope, prefix_leaf ORDER BY 2 DESC LIMIT %(sets)s
"""
ANSWERED: Final = """
WITH newest AS MATERIALIZED ({newest})
SELECT r.id, r.scope, s.reply FROM newest r
JOIN LATERAL (SELECT reply FROM gateway_responselog a WHERE a.id = r.id AND a.reply IS NOT NULL LIMIT 1) s ON true
ORDER BY r.scope, r.id
"""
NAMES: Final = (
    "subagentName", "provider", "targetModel", "agents", "requests", "inputTokens", "outputTokens", "totalTokens",
    "avgResponseMs",
)  # fmt: skip


class Sample(NamedTuple):
    """`read`: of so many requests; `capped`: there are older ones in the time asked for."""

    rows: list[dict[str, Any]]
    read: int
    capped: bool


def read_subagents(sight: Sight, since: datetime.datetime, until: datetime.datetime) -> Sample:
    asked = values_of(sight, since, until, READ)
    ((found,),) = fetch(COUNT, sight, asked | {"read": READ + 1})
    rows = [dict(zip(NAMES, map(as_number, row), strict=True)) for row in fetch(SUBAGENTS, sight, asked)]
    return Sample(rows, min(found, READ), found > READ)


def as_number(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else round(value)


def read_tools(sight: Sight, since: datetime.datetime, until: datetime.datetime) -> Sample:
    """Requests that offered each tool, and its calls in their answers."""
    asked = values_of(sight, since, until, ANSWERS_READ)
    ((found,),) = fetch(COUNT, sight, asked | {"read": ANSWERS_READ + 1})
    offered, called = Counter[str](), Counter[str]()
    for request_id, number in fetch(OFFERED, sight, asked | {"sets": SETS_OF_TOOLS}):
        offered.update(dict.fromkeys(tools_of(request_id), number))
    for answer in answers(sight, asked):
        called.update(call.name for call in tool_calls(answer) if call.name)
    rows = [tool_row(name, offered[name], called[name]) for name in offered.keys() | called.keys()]
    rows.sort(key=lambda row: (-row["callCount"], -row["usageCount"], row["toolName"]))
    return Sample(rows, min(found, ANSWERS_READ), found > ANSWERS_READ)


def tool_row(name: str, offered: int, called: int) -> dict[str, Any]:
    share = round(called / offered, 4) if offered else None
    return {"toolName": name, "usageCount": offered, "callCount": called, "avgCallsPerRequest": share}


def tools_of(request_id: UUID) -> set[str]:
    """The names of the tools a request offers; none where it cannot be read any more."""
    try:
        lineage = parts_of(request_id)
        blobs = [part.blob for part in lineage.parts if part.kind == PartKind.TOOL]
        return (
            {tool_name(value) for value in values_in(read_blobs(request_id, lineage.scope, blobs))} if blobs else set()
        )
    except (Damaged, NotInHistory):
        return set()


def answers(sight: Sight, asked: dict[str, Any]) -> Iterator[Any]:
    """The messages of answers."""
    rows = fetch(ANSWERED, sight, asked)
    for _, group in groupby(rows, key=lambda row: (row[1], month_of(row[0].bytes))):
        together = list(group)
        request_id, scope, _ = together[0]
        try:
            yield from values_in(read_blobs(request_id, scope, [bytes(reply) for _, _, reply in together]))
        except Damaged:
            continue


def values_in(blobs: dict[bytes, bytes]) -> Iterator[Any]:
    for data in blobs.values():
        try:
            yield read_json(data).value
        except NotJSONError:
            continue


def values_of(sight: Sight, since: datetime.datetime, until: datetime.datetime, read: int) -> dict[str, Any]:
    span = {"since": first_id_at(since), "until": first_id_at(until)}
    return span | {"teams": sorted(sight.teams or ()), "read": read}


def fetch(statement: str, sight: Sight, values: dict[str, Any]) -> list[Any]:
    teams = "" if sight.teams is None else "AND team = ANY(%(teams)s)"
    with connection.cursor() as cursor:
        cursor.execute(statement.format(newest=NEWEST.format(teams=teams)), values)
        rows: list[Any] = cursor.fetchall()
    return rows
