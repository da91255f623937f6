"""HTTP Archive 1.2 (http://www.softwareishard.com/blog/har-12-spec/), which browsers' network panels and most HTTP
tools open. Secret header values are fingerprints in it, as everywhere in the history."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from gateway.dialects.content import decode_body
from gateway.history.export.exchanges import Exchange, as_text
from gateway.history.present import timestamp
from gateway.history.veil import shown_value
from gateway.models import ResponseLog

UNKNOWN = -1
NOWHERE = "http://unknown.invalid"
HTTP_VERSION = "HTTP/1.1"


def write_har(exchanges: Iterable[Exchange], version: str) -> Iterator[bytes]:
    """One archive in pieces: an entry is written when the next is read."""
    creator = json.dumps({"name": "Turnlog", "version": version})
    yield f'{{"log":{{"version":"1.2","creator":{creator},"entries":['.encode()
    for number, exchange in enumerate(exchanges):
        yield (b",\n" if number else b"\n") + json.dumps(entry(exchange), ensure_ascii=False).encode()
    yield b"\n]}}\n"


def entry(exchange: Exchange) -> dict[str, Any]:
    row, response = exchange.row, getattr(exchange.row, "response", None)
    timings = timings_of(response)
    return {
        "startedDateTime": timestamp(row.started_at),
        "time": sum(value for value in timings.values() if value >= 0),
        "request": request_object(exchange, response),
        "response": response_object(exchange, response),
        "cache": {},
        "timings": timings,
        "_id": str(row.id),
        "_outcome": row.outcome,
        "_session": row.session_id,
        "_agent": row.agent_id,
        "_usage": response.usage if response else None,
        **({"_damage": exchange.damage} if exchange.damage else {}),
    }


def request_object(exchange: Exchange, response: ResponseLog | None) -> dict[str, Any]:
    row = exchange.row
    record = getattr(row, "header_record", None)
    shown: dict[str, Any] = {
        "method": row.method,
        "url": address(exchange, response),
        "httpVersion": HTTP_VERSION,
        "cookies": [],
        "headers": pairs(shown_value(record.request_pairs, row.team) if record else []),
        "queryString": pairs(parse_qsl(row.query, keep_blank_values=True)),
        "headersSize": UNKNOWN,
        "bodySize": row.request_bytes,
    }
    if exchange.request_body:
        shown["postData"] = {"mimeType": row.content_type, **content(exchange.request_body)}
    return shown


def response_object(exchange: Exchange, response: ResponseLog | None) -> dict[str, Any]:
    row, body = exchange.row, exchange.response_body
    record = getattr(row, "header_record", None)
    decoded = decode_body(response.content_encoding if response else "", body)
    readable = body if decoded.error else decoded.data
    return {
        "status": row.status_code or 0,
        "statusText": status_text(row.status_code),
        "httpVersion": HTTP_VERSION,
        "cookies": [],
        "headers": pairs(shown_value(record.response_pairs, row.team) if record else []),
        "content": {
            "size": len(readable),
            "mimeType": response.content_type if response else "",
            **(content(readable) if readable else {}),
        },
        "redirectURL": "",
        "headersSize": UNKNOWN,
        "bodySize": response.response_bytes if response else UNKNOWN,
    }


def address(exchange: Exchange, response: ResponseLog | None) -> str:
    """Where it went: the provider last tried, with the path the client asked for."""
    row = exchange.row
    tried = [attempt["address"] for attempt in (response.attempts if response else []) if attempt.get("address")]
    origin = (tried[-1] if tried else NOWHERE).rstrip("/").removesuffix("/v1")
    return f"{origin}{row.path}" + (f"?{row.query}" if row.query else "")


def timings_of(response: ResponseLog | None) -> dict[str, float]:
    """Milliseconds; -1: not known. `wait` is the time until the provider's headers, `receive` the rest."""
    waited = response.headers_ms if response else None
    lasted = response.duration_ms if response else None
    return {
        "send": 0,
        "wait": UNKNOWN if waited is None else waited,
        "receive": UNKNOWN if lasted is None else max(0.0, lasted - (waited or 0)),
    }


def content(body: bytes) -> dict[str, str]:
    text = as_text(body)
    return {"text": base64.b64encode(body).decode(), "encoding": "base64"} if text is None else {"text": text}


def pairs(values: Iterable[Any]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in values]


def status_text(status: int | None) -> str:
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return ""
