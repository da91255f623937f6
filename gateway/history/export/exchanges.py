"""The exchanges of an export, oldest first, read in pages, so that any number of them needs the memory of a few."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db.models import QuerySet

from gateway.dialects.content import decode_body
from gateway.dialects.json_values import write_json
from gateway.history.packing import Damaged
from gateway.history.present import message_of
from gateway.history.store import NotInHistory, rebuild_request, rebuild_response
from gateway.history.veil import curtain_of, shown_body
from gateway.models import RequestLog

PAGE = 100


@dataclass(slots=True)
class Exchange:
    """One exchange with its bodies as they were recorded; empty ones when they are not wanted or not there."""

    row: RequestLog
    request_body: bytes = b""
    response_body: bytes = b""
    damage: list[str] = field(default_factory=list)
    """What could not be rebuilt, and why."""
    hidden: bool = False
    """The bodies are without their content codings, and without what a redaction hides."""

    def response_text(self) -> str | None:
        """The answer's body with its content coding undone; None when it is no text."""
        response = getattr(self.row, "response", None)
        encoding = response.content_encoding if response and not self.hidden else ""
        decoded = decode_body(encoding, self.response_body)
        return None if decoded.error else as_text(decoded.data)


@dataclass(slots=True)
class ExportProgress:
    exchanges: int = 0
    bytes: int = 0
    damaged: int = 0


def exchanges(rows: QuerySet[RequestLog], progress: ExportProgress, *, bodies: bool = True) -> Iterator[Exchange]:
    """All of `rows`, oldest first. A damaged body is told in `damage` and ends nothing."""
    related = rows.select_related("response", "header_record", "chunk_timing")
    ordered, last = related.order_by("id"), uuid.UUID(int=0)
    while page := list(ordered.filter(id__gt=last)[:PAGE]):
        for row in page:
            exchange = Exchange(row)
            if bodies:
                exchange.request_body = read_body(exchange, rebuild_request)
                exchange.response_body = read_body(exchange, rebuild_response)
            if bodies and curtain_of(row.team) is not None:
                hide(exchange)
            progress.exchanges += 1
            progress.bytes += len(exchange.request_body) + len(exchange.response_body)
            progress.damaged += bool(exchange.damage)
            yield exchange
        last = page[-1].id


def read_body(exchange: Exchange, rebuild: Callable[[uuid.UUID], bytes]) -> bytes:
    try:
        return rebuild(exchange.row.id)
    except NotInHistory:  # it was erased since its row was read
        return b""
    except Damaged as damage:
        exchange.damage.append(f"{rebuild.__name__.removeprefix('rebuild_')}: {damage}")
        return b""


def hide(exchange: Exchange) -> None:
    """Both bodies without what is hidden from who asks. An answer is then its message, since what is hidden may lie
    across the events of a stream."""
    row, headers = exchange.row, getattr(exchange.row, "header_record", None)
    codings = [value for name, value in headers.request_pairs if name.lower() == "content-encoding"] if headers else []
    decoded = decode_body(", ".join(codings), exchange.request_body)
    exchange.request_body = b"" if decoded.error else shown_body(decoded.data, row.team)
    message = message_of(getattr(row, "response", None))
    exchange.response_body = b"" if message is None else write_json(message)
    exchange.hidden = True


def as_text(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
