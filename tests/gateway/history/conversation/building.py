"""Calls out of request bodies, without a database; `READ` reads the parts of all that were made."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.dialects.accumulate import accumulate, meter
from gateway.dialects.client_headers import organization_id, read_client
from gateway.dialects.names import Dialect, Outcome
from gateway.dialects.normal_form import normal_form
from gateway.dialects.request_facts import read_members
from gateway.dialects.request_parts import PartKind, Split, split
from gateway.history.conversation.calls import Breakpoint, Call, Part
from tests.gateway.history.recorded import outcome, recorded

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
BODIES: dict[bytes, bytes] = {}


def READ(part: Part) -> Any:
    return json.loads(BODIES[part.blob])


def call_of(
    body: dict[str, Any] | bytes, at: datetime = START, dialect: Dialect = Dialect.ANTHROPIC, **changes: Any
) -> Call:
    """A call with this body, answered unless `changes` say otherwise."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    settings = json.loads(raw)
    parts, breakpoints = parts_of(dialect, raw)
    call = Call(
        id=uuid.uuid4(),
        started_at=at,
        dialect=dialect,
        requested_model=settings.pop("model", None),
        is_streaming=settings.pop("stream", None),
        status_code=200,
        stop_reason="end_turn",
        parts=parts,
        breakpoints=breakpoints,
        settings={key: value for key, value in settings.items() if key not in ("messages", "input", "system", "tools")},
    )
    return replace(call, **changes)


def parts_of(dialect: Dialect, raw: bytes) -> tuple[list[Part], list[Breakpoint]]:
    found = split(dialect, raw, read_members(raw))
    assert isinstance(found, Split)
    pieces = [(run.kind, part) for run in sorted(found.runs, key=lambda run: run.kind) for part in run.parts]
    parts = [part_of(dialect, kind, piece) for kind, piece in pieces]
    points = [
        Breakpoint(at, "1h" if re.search(rb'"ttl":\s*"1h"', piece) else "5m")
        for at, (_, piece) in enumerate(pieces)
        if b'"cache_control"' in piece
    ]
    return parts, points


def part_of(dialect: Dialect, kind: PartKind, piece: bytes) -> Part:
    blob = hashlib.sha256(piece).digest()
    BODIES[blob] = piece
    value = json.loads(piece)
    role = str(value.get("role") or value.get("type")) if kind is PartKind.MESSAGE and isinstance(value, dict) else ""
    said = hashlib.sha256(normal_form(dialect, kind, piece)).digest()
    return Part(kind, said, blob, role, len(piece))


def captured_calls(name: str, gap: float = 20.0) -> list[Call]:
    """The calls of a capture file, `gap` seconds apart."""
    calls = []
    for number, exchange in enumerate(recorded(name)):
        client = read_client(exchange.request_headers)
        answer = accumulate(exchange.dialect, exchange.content_type, "", exchange.response_body)
        counts = meter(exchange.dialect, answer.usage, answer.message).tokens
        calls.append(
            call_of(
                exchange.request_body,
                START + timedelta(seconds=gap * number),
                exchange.dialect,
                path=exchange.path,
                session_id=client.session_id,
                agent_id=client.agent_id,
                window_id=client.window_id,
                client=client.client,
                client_version=client.client_version,
                betas=client.betas,
                model=answer.model,
                status_code=exchange.status,
                outcome=outcome(exchange) if exchange.status < 400 else Outcome.UPSTREAM_ERROR,
                stop_reason=answer.stop_reason,
                usage=answer.usage,
                input_tokens=counts.input_tokens,
                cache_read_tokens=counts.cache_read_tokens,
                cache_write_tokens=counts.cache_write_tokens,
                organization_id=organization_id(exchange.response_headers),
                first_byte_ms=800.0,
                duration_ms=2000.0,
            )
        )
    return calls


TOOLS = [
    {"name": "Bash", "description": "Run it.", "input_schema": {"type": "object"}},
    {"name": "Read", "description": "Read it.", "input_schema": {"type": "object"}},
]
SYSTEM = [{"type": "text", "text": "You are careful."}, {"type": "text", "text": "The house rules. " * 200}]
MARK = {"cache_control": {"type": "ephemeral"}}


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} | more]}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}]}


def talk(*texts: str, tools: Any = None, system: Any = None, marked: bool = True, **settings: Any) -> dict[str, Any]:
    """A body whose messages are `texts`, the user's and the assistant's in turn, the last one marked for the cache."""
    messages = [assistant(text) if number % 2 else user(text) for number, text in enumerate(texts)]
    if marked:
        messages[-1] = {"role": messages[-1]["role"], "content": [messages[-1]["content"][0] | MARK]}
    return {
        "model": "claude-opus-5-5",
        "messages": messages,
        "system": SYSTEM if system is None else system,
        "tools": TOOLS if tools is None else tools,
        "stream": True,
        **settings,
    }
