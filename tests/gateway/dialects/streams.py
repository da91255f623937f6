"""Streams written down briefly, for tests."""

from __future__ import annotations

import json
from typing import Any

from gateway.dialects.accumulate import accumulate
from gateway.dialects.accumulated import Accumulated
from gateway.dialects.names import Dialect
from gateway.dialects.sse import ServerSentEvent, SSEDecoder

SSE = "text/event-stream"


def named(*events: dict[str, Any]) -> bytes:
    """Events under the name of their type, as Anthropic and Responses send them."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def chunks(*payloads: dict[str, Any], done: bool = True) -> bytes:
    """Nameless chunks, as Chat Completions sends them."""
    body = b"".join(f"data: {json.dumps(payload)}\n\n".encode() for payload in payloads)
    return body + (b"data: [DONE]\n\n" if done else b"")


def decode(body: bytes) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    events = decoder.feed(body)
    last = decoder.finish()
    return [*events, last] if last is not None else events


def read(dialect: Dialect, body: bytes) -> Accumulated:
    return accumulate(dialect, SSE, "", body)


def read_json(dialect: Dialect, value: Any) -> Accumulated:
    return accumulate(dialect, "application/json", "", json.dumps(value).encode())
