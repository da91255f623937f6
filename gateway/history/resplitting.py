"""Bodies that an earlier release kept whole, split as new ones are. Batches of a few rows, while everybody works on."""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection, transaction

from gateway.dialects.accumulate import accumulate
from gateway.dialects.names import Dialect
from gateway.dialects.request_facts import read_members
from gateway.history.packing import Damaged
from gateway.history.partitions import create_partitions, month_of
from gateway.history.planning import Plan, Planner
from gateway.history.store import (
    NotInHistory,
    RequestBody,
    StoredRequest,
    put_reply,
    put_request,
    rebuild_request,
    rebuild_response,
)
from gateway.history.tree_writer import StalePlans, TreeWriter
from gateway.models.at_rest import unseal_json

BATCH = 20
FIRST = uuid.UUID(int=0)
WHOLE = """
SELECT id FROM gateway_storedbody WHERE part = 0 AND codec = 'zstd' AND id > %s ORDER BY id LIMIT %s
"""
EXCHANGE = """
SELECT r.team, r.dialect, coalesce(s.content_type, ''), coalesce(s.content_encoding, ''),
       coalesce(h.request_pairs, '[]')::text
FROM gateway_requestlog r LEFT JOIN gateway_responselog s ON s.id = r.id
LEFT JOIN gateway_headerrecord h ON h.id = r.id WHERE r.id = %s
"""
MOVE = """
UPDATE gateway_storedbody SET codec = %(codec)s, data = %(data)s, skeleton = %(skeleton)s, heads = %(heads)s::bytea[],
    tails = %(tails)s::bytea[], whole_because = %(whole_because)s
WHERE id = %(id)s AND part = 0 AND codec = 'zstd'
"""
POINT = "UPDATE gateway_requestlog SET prefix_leaf = %s, messages_leaf = %s, scope = %s WHERE id = %s"
REPLY = "UPDATE gateway_responselog SET reply = %s, message = NULL WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Exchange:
    """Read by columns that were there before: a migration runs this, whatever the models have become."""

    id: uuid.UUID
    bodies: tuple[bytes, bytes]
    """Of the request and of the answer."""
    team: str
    dialect: str
    content_type: str
    content_encoding: str
    request_pairs: str

    @property
    def month(self) -> datetime.date:
        return month_of(self.id.bytes)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(name, value) for name, value in unseal_json(json.loads(self.request_pairs))]


def split_whole_bodies() -> Iterator[int]:
    """How many were looked at so far, after each batch. May be broken off and run again; damaged ones stay as they
    are."""
    connection.ensure_connection()
    writer, planner = TreeWriter(connection.connection), Planner()
    last, done = FIRST, 0
    while ids := whole_after(last):
        for id in ids:
            move(id, planner, writer)
        last, done = ids[-1], done + len(ids)
        yield done


def whole_after(last: uuid.UUID) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(WHOLE, [last, BATCH])
        return [row[0] for row in cursor.fetchall()]


def move(id: uuid.UUID, planner: Planner, writer: TreeWriter) -> None:
    with connection.cursor() as cursor:
        cursor.execute(EXCHANGE, [id])
        row = cursor.fetchone()
    try:
        bodies = (rebuild_request(id), rebuild_response(id))
    except (Damaged, NotInHistory):
        return
    if row is None:
        return
    exchange = Exchange(id, bodies, *row)
    writer.find_scopes([exchange.team])
    with connection.cursor() as cursor:
        create_partitions(cursor, [exchange.month])
    while not moved(exchange, planner, writer):
        """A sweep began: plan again."""


def moved(exchange: Exchange, planner: Planner, writer: TreeWriter) -> bool:
    plan = planner.begin(exchange.id, exchange.month, exchange.team)
    request, reply = plan_row(plan, exchange)
    try:
        with transaction.atomic():
            store(exchange, plan, request, reply, writer)
    except StalePlans:
        return False
    writer.settle([((exchange.month, exchange.team), plan.additions)])
    return True


def plan_row(plan: Plan, exchange: Exchange) -> tuple[StoredRequest, bytes | None]:
    dialect, (body, answered) = Dialect(exchange.dialect), exchange.bodies
    encoding = next((value for name, value in exchange.pairs if name.lower() == "content-encoding"), "")
    request = put_request(plan, dialect, RequestBody(body, encoding, read_members(body)))
    answer = accumulate(dialect, exchange.content_type, exchange.content_encoding, answered)
    return request, put_reply(plan, dialect, answer.message)


def store(exchange: Exchange, plan: Plan, request: StoredRequest, reply: bytes | None, writer: TreeWriter) -> None:
    raw: psycopg.Connection[Any] = connection.connection
    writer.begin([plan.additions])
    scope = writer.scopes[exchange.team]
    writer.write((exchange.month, scope), [plan.additions])
    for stored in request.rows:
        with psycopg.Cursor(raw) as cursor:
            cursor.execute(MOVE, stored._asdict())
            cursor.execute(POINT, [*request.leaves, scope, exchange.id])
            cursor.execute(REPLY, [reply, exchange.id])
