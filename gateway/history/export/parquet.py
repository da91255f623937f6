"""Parquet for data frames and DuckDB: one row for each exchange, columns with types, in row groups as they are read."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, chain, islice
from typing import Any, BinaryIO

from arro3.core import Array, DataType, Field, RecordBatch, RecordBatchReader, Schema, list_array
from arro3.io import write_parquet

from gateway.history.export.exchanges import Exchange
from gateway.history.present import message_of
from gateway.history.veil import shown_value

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
ROWS_OF_A_GROUP = 5_000
BYTES_OF_A_GROUP = 64_000_000
COMPRESSION = "zstd(3)"
TEXT, INTEGER, FLOAT, FLAG, BYTES = (
    DataType.utf8(),
    DataType.int64(),
    DataType.float64(),
    DataType.bool(),
    DataType.binary(),
)
TEXTS = DataType.list(Field("item", DataType.utf8()))
TIME = DataType.timestamp("us", tz="UTC")

Read = Callable[[Exchange], Any]


def of_request(name: str) -> Read:
    return lambda exchange: shown_value(getattr(exchange.row, name), exchange.row.team)


def of_response(name: str) -> Read:
    return lambda exchange: shown_value(getattr(getattr(exchange.row, "response", None), name, None), exchange.row.team)


def as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def usage_of(exchange: Exchange) -> str | None:
    return as_json(of_response("usage")(exchange))


def cost_of(exchange: Exchange) -> float | None:
    cost = of_response("cost_usd")(exchange)
    return None if cost is None else float(cost)


def answer_of(exchange: Exchange) -> str | None:
    return as_json(message_of(getattr(exchange.row, "response", None)))


REQUEST_TEXTS = (
    "method", "path", "query", "dialect", "provider", "access_key", "team", "client_address", "requested_model",
    "routed_model", "model", "outcome", "session_id", "agent_id", "parent_agent_id", "prompt_id", "request_class",
    "thread_id", "turn_id", "client", "client_version", "capture", "purpose",
)  # fmt: skip
RESPONSE_TEXTS = (
    "stop_reason", "upstream_request_id", "organization_id", "error_type", "error_message", "stream_error",
    "content_type", "service_tier", "speed", "cost_note",
)  # fmt: skip
RESPONSE_INTEGERS = (
    "response_bytes", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cache_write_1h_tokens", "thinking_tokens",
)  # fmt: skip

COLUMNS: tuple[tuple[str, DataType, Read], ...] = (
    ("id", TEXT, lambda exchange: str(exchange.row.id)),
    ("started_at", TIME, lambda exchange: (exchange.row.started_at - EPOCH) // datetime.timedelta(microseconds=1)),
    *((name, TEXT, of_request(name)) for name in REQUEST_TEXTS),
    ("betas", TEXTS, of_request("betas")),
    ("tags", TEXT, lambda exchange: as_json(shown_value(exchange.row.tags, exchange.row.team))),
    ("is_streaming", FLAG, of_request("is_streaming")),
    *((name, INTEGER, of_request(name)) for name in ("status_code", "message_count", "tool_count", "max_tokens")),
    ("request_bytes", INTEGER, of_request("request_bytes")),
    *((name, TEXT, of_response(name)) for name in RESPONSE_TEXTS),
    *((name, INTEGER, of_response(name)) for name in RESPONSE_INTEGERS),
    *((name, FLOAT, of_response(name)) for name in ("headers_ms", "first_byte_ms", "duration_ms")),
    ("cost_usd", FLOAT, cost_of),
    ("usage", TEXT, usage_of),
    ("answer", TEXT, answer_of),
)
BODY_COLUMNS: tuple[tuple[str, DataType, Read], ...] = (
    ("request_body", BYTES, lambda exchange: exchange.request_body or None),
    ("response_body", BYTES, lambda exchange: exchange.response_body or None),
)


def write_table(exchanges: Iterable[Exchange], file: BinaryIO, *, bodies: bool) -> None:
    """Write all of them to `file`; `usage`, `tags` and `answer` are JSON text, bodies the bytes that were recorded."""
    columns = COLUMNS + (BODY_COLUMNS if bodies else ())
    schema = Schema([Field(name, kind, nullable=True) for name, kind, _ in columns])
    batches = (RecordBatch(arrays(group, columns), schema=schema) for group in groups(exchanges))
    reader = RecordBatchReader.from_batches(schema, batches)
    write_parquet(reader, file, compression=COMPRESSION, max_row_group_size=ROWS_OF_A_GROUP)


def groups(exchanges: Iterable[Exchange]) -> Iterator[list[Exchange]]:
    """As many at a time as fit in memory well."""
    rest = iter(exchanges)
    while first := list(islice(rest, 1)):
        group, size = first, weight(first[0])
        while size < BYTES_OF_A_GROUP and len(group) < ROWS_OF_A_GROUP and (more := list(islice(rest, 1))):
            group += more
            size += weight(more[0])
        yield group


def weight(exchange: Exchange) -> int:
    return len(exchange.request_body) + len(exchange.response_body)


def arrays(group: list[Exchange], columns: tuple[tuple[str, DataType, Read], ...]) -> list[Any]:
    return [column([read(exchange) for exchange in group], kind) for _, kind, read in columns]


def column(values: list[Any], kind: DataType) -> Any:
    if kind == TIME:
        return Array(values, type=INTEGER).cast(TIME)
    if kind == TEXTS:
        ends = list(accumulate((len(texts) for texts in values), initial=0))
        return list_array(Array(ends, type=DataType.int32()), Array(list(chain(*values)), type=TEXT), type=TEXTS)
    return Array(values, type=kind)
