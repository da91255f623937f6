"""Writes batches of exchanges with COPY, inside the caller's transaction."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import set_json_dumps

from gateway.dialects.json_values import write_json
from gateway.history.capability_ledger import CapabilityLedger, Sightings
from gateway.history.id_times import hour_of
from gateway.history.partitions import create_partitions, month_of
from gateway.history.planning import Additions
from gateway.history.rollup_marks import mark_due
from gateway.history.store import BodyRow
from gateway.history.tree_writer import TreeWriter

Row = Sequence[Any]

COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "gateway_requestlog": (
        ("id", "uuid"),
        ("started_at", "timestamptz"),
        ("method", "text"),
        ("path", "text"),
        ("query", "text"),
        ("dialect", "text"),
        ("provider", "text"),
        ("access_key", "text"),
        ("team", "text"),
        ("client_address", "text"),
        ("requested_model", "text"),
        ("routed_model", "text"),
        ("model", "text"),
        ("is_streaming", "bool"),
        ("status_code", "int4"),
        ("outcome", "text"),
        ("session_id", "text"),
        ("agent_id", "text"),
        ("parent_agent_id", "text"),
        ("prompt_id", "text"),
        ("request_class", "text"),
        ("client_request_id", "text"),
        ("thread_id", "text"),
        ("turn_id", "text"),
        ("window_id", "text"),
        ("trace_id", "text"),
        ("parent_span_id", "text"),
        ("client", "text"),
        ("client_version", "text"),
        ("user_agent", "text"),
        ("content_type", "text"),
        ("betas", "text[]"),
        ("message_count", "int4"),
        ("tool_count", "int4"),
        ("max_tokens", "int8"),
        ("tags", "jsonb"),
        ("request_bytes", "int8"),
        ("capture", "text"),
        ("purpose", "text"),
        ("replay_of", "uuid"),
        ("handling", "text"),
        ("capture_policy", "text"),
        ("prefix_leaf", "bytea"),
        ("messages_leaf", "bytea"),
        ("scope", "int4"),
    ),
    "gateway_responselog": (
        ("id", "uuid"),
        ("content_type", "text"),
        ("content_encoding", "text"),
        ("first_byte_ms", "float8"),
        ("headers_ms", "float8"),
        ("duration_ms", "float8"),
        ("response_bytes", "int8"),
        ("stop_reason", "text"),
        ("usage", "jsonb"),
        ("input_tokens", "int8"),
        ("output_tokens", "int8"),
        ("cache_read_tokens", "int8"),
        ("cache_write_tokens", "int8"),
        ("upstream_request_id", "text"),
        ("organization_id", "text"),
        ("error_type", "text"),
        ("error_message", "text"),
        ("stream_error", "text"),
        ("parse_warnings", "text[]"),
        ("attempts", "jsonb"),
        ("cache_write_1h_tokens", "int8"),
        ("thinking_tokens", "int8"),
        ("server_tools", "jsonb"),
        ("service_tier", "text"),
        ("speed", "text"),
        ("inference_geo", "text"),
        ("cost_usd", "numeric"),
        ("cost_note", "text"),
        ("price_id", "int8"),
        ("translation", "jsonb"),
        ("reply", "bytea"),
    ),
    "gateway_chunktiming": (
        ("id", "uuid"),
        ("count", "int4"),
        ("first_at", "timestamptz"),
        ("packed", "bytea"),
        ("held", "bytea"),
    ),
    "gateway_headerrecord": (
        ("id", "uuid"),
        ("request_pairs", "jsonb"),
        ("response_pairs", "jsonb"),
        ("rules", "jsonb"),
    ),
    "gateway_ratelimitsample": (
        ("id", "uuid"),
        ("name", "text"),
        ("value", "text"),
        ("organization_id", "text"),
        ("sampled_at", "timestamptz"),
    ),
    "gateway_storedbody": (
        ("id", "uuid"),
        ("part", "int2"),
        ("size", "int8"),
        ("sha256", "bytea"),
        ("codec", "text"),
        ("data", "bytea"),
        ("patch", "jsonb"),
        ("skeleton", "bytea"),
        ("heads", "bytea[]"),
        ("tails", "bytea[]"),
        ("whole_because", "text"),
    ),
}


@dataclass(slots=True)
class ExchangeRows:
    """All rows of one exchange, values in the order of COLUMNS; `request` without the scope, which is looked up."""

    id: uuid.UUID
    team: str
    additions: Additions
    request: Row
    response: Row
    headers: Row
    timing: Row | None = None
    rate_limits: Sequence[Row] = field(default_factory=list)
    bodies: Sequence[BodyRow] = field(default_factory=list)
    sightings: Sightings | None = None
    is_sampled: bool | None = None
    """Whether the client records the trace it counts the request to; None: it counts it to none."""

    def size(self) -> int:
        """About how many bytes it will take in the tables."""
        return sum(len(body.data) for body in self.bodies) + self.additions.size() + 4096

    @property
    def month(self) -> datetime.date:
        return month_of(self.id.bytes)


KNOWN = """
SELECT id FROM gateway_requestlog WHERE id = ANY(%(ids)s)
UNION ALL SELECT exchange_id FROM gateway_erasedexchange WHERE exchange_id = ANY(%(ids)s)
"""
# An escaped NUL, which jsonb refuses, but not an escaped backslash before "u0000".
ESCAPED_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def write_jsonb(value: Any) -> bytes:
    """JSON that a jsonb column takes: NUL becomes U+2400, its picture."""
    return ESCAPED_NUL.sub(rb"\1\\u2400", write_json(value))


class HistoryWriter:
    """Copies rows over one psycopg connection; remembers which months are known to have partitions."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._tree = TreeWriter(connection)
        self._months: set[Any] = set()
        self._capabilities = CapabilityLedger(connection)

    def known(self, ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
        """Those of the ids that have a row already, or had one that was removed for good."""
        with psycopg.Cursor(self._connection) as cursor:
            cursor.execute(KNOWN, {"ids": list(ids)})
            found = {row[0] for row in cursor}
            cursor.execute("SELECT month FROM gateway_droppedmonth")
            dropped = {row[0] for row in cursor}
        return found | {id for id in ids if month_of(id.bytes) in dropped} if dropped else found

    def ensure_months(self, exchanges: Iterable[ExchangeRows]) -> None:
        """Make the partitions and scopes these exchanges go to, when they are not known to be there; not in a
        transaction that may be rolled back."""
        exchanges = list(exchanges)
        self._tree.find_scopes(exchange.team for exchange in exchanges)
        missing = {exchange.month for exchange in exchanges} - self._months
        if missing:
            with psycopg.Cursor(self._connection) as cursor:
                create_partitions(cursor, sorted(missing))
            self._months |= missing

    def forget_months(self) -> None:
        """Look again next time: a partition turned out not to be there."""
        self._months.clear()

    def write(self, exchanges: Sequence[ExchangeRows]) -> None:
        """Store everything, in the transaction the connection is in. Raises psycopg.Error, and StalePlans when the rows
        have to be built again."""
        scopes = self._tree.scopes
        self._tree.begin(exchange.additions for exchange in exchanges)
        places: dict[tuple[datetime.date, int], list[Additions]] = {}
        for exchange in exchanges:
            places.setdefault((exchange.month, scopes[exchange.team]), []).append(exchange.additions)
        for place, plans in sorted(places.items(), key=lambda item: item[0]):
            self._tree.write(place, plans)
        self._copy("gateway_requestlog", [(*exchange.request, scopes[exchange.team]) for exchange in exchanges])
        self._copy("gateway_responselog", [exchange.response for exchange in exchanges])
        self._copy("gateway_headerrecord", [exchange.headers for exchange in exchanges])
        self._copy("gateway_chunktiming", [exchange.timing for exchange in exchanges if exchange.timing])
        self._copy("gateway_ratelimitsample", [row for exchange in exchanges for row in exchange.rate_limits])
        self._copy("gateway_storedbody", [row for exchange in exchanges for row in exchange.bodies])
        mark_due(self._connection, {hour_of(exchange.id) for exchange in exchanges})
        self._capabilities.write([exchange.sightings for exchange in exchanges if exchange.sightings])

    def settle(self, exchanges: Sequence[ExchangeRows]) -> None:
        """What was written is committed; with this the next rows of the same conversations are cheaper."""
        self._tree.settle(((exchange.month, exchange.team), exchange.additions) for exchange in exchanges)
        self._capabilities.settle()

    def _copy(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        with psycopg.Cursor(self._connection) as cursor:
            set_json_dumps(write_jsonb, cursor)
            with cursor.copy(STATEMENTS[table]) as copy:
                copy.set_types(TYPES[table])
                for row in rows:
                    copy.write_row(row)


STATEMENTS = {
    table: sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(table), sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
    )
    for table, columns in COLUMNS.items()
}
TYPES = {table: [kind for _, kind in columns] for table, columns in COLUMNS.items()}
