"""The list of requests as a file: a table for spreadsheets, or an object a line for programs. What was said is not in
it.

A file is made while it is asked for and kept nowhere, so there is none to expire; `MOST` bounds its rows.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import QuerySet

from dashboard.queries.usage import inert
from gateway.models import RequestLog
from gateway.pricing.money import dollars

MOST: Final = 10_000
COLUMNS: Final = (
    "id", "started_at", "team", "access_key", "client", "client_version", "session_id", "agent_id", "provider",
    "requested_model", "model", "status_code", "outcome", "request_bytes",
)  # fmt: skip
OF_RESPONSE: Final = (
    "error_type", "stop_reason", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "cost_usd", "cost_note", "first_byte_ms", "duration_ms", "response_bytes",
)  # fmt: skip
NAMES: Final = (*COLUMNS, *OF_RESPONSE)


def read_rows(matching: QuerySet[RequestLog]) -> list[Sequence[Any]]:
    """The newest `MOST`, the newest first, in the order of NAMES; what is not known is None."""
    columns = (*COLUMNS, *(f"response__{name}" for name in OF_RESPONSE))
    return list(matching.order_by("-id").values_list(*columns)[:MOST])


def as_csv(rows: Iterable[Sequence[Any]]) -> str:
    """A head, and a line for each row; no cell begins as a formula does."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(NAMES)
    for row in rows:
        writer.writerow(["" if value is None else inert(str(plain(value))) for value in row])
    return text.getvalue()


def as_json_lines(rows: Iterable[Sequence[Any]]) -> str:
    return "".join(
        json.dumps(dict(zip(NAMES, map(plain, row), strict=True)), ensure_ascii=False) + "\n" for row in rows
    )


def plain(value: Any) -> Any:
    """As JSON has it: money as text, exactly; times as ISO 8601."""
    if isinstance(value, Decimal):
        return dollars(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float) else str(value)


FORMS: Final[dict[str, tuple[str, str, Callable[[Iterable[Sequence[Any]]], str]]]] = {
    "csv": ("CSV", "text/csv; charset=utf-8", as_csv),
    "ndjson": ("JSON lines", "application/x-ndjson", as_json_lines),
}
"""By the end of the file's name: what it is called, its content type, and what writes it."""
