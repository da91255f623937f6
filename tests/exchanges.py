"""Exchanges as the recorder would observe them, put into the history by the loader's own row builder and writer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from gateway.dialects.names import Dialect, Outcome
from gateway.history.prices import read_book
from gateway.history.writer import HistoryWriter
from gateway.recording.assemble import Recorded
from gateway.recording.records import Admission, Attempt, End, ResponseHead, RulesApplied, Translated
from gateway.recording.rows import RowBuilder

TAG_HEADERS = ("x-team", "x-project", "x-user")
Pairs = Sequence[tuple[str, str]]


def event_stream(*events: dict[str, Any]) -> list[bytes]:
    """Server-sent events of Anthropic's kind, one chunk each."""
    return [f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events]


def message_stream(
    text: str, *, model: str = "claude-opus-5-5", stop: str = "end_turn", usage: dict[str, Any] | None = None
) -> list[bytes]:
    """A whole answer of one text block, in pieces."""
    counts = {"input_tokens": 2_864, "cache_creation_input_tokens": 412, "cache_read_input_tokens": 39_844}
    start = {"id": "msg_01", "type": "message", "role": "assistant", "model": model, "content": [], "stop_reason": None}
    pieces = [text[at : at + 24] for at in range(0, len(text), 24)]
    return event_stream(
        {"type": "message_start", "message": start | {"usage": (usage or counts) | {"output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": len(pieces) * 6}},
        {"type": "message_stop"},
    )


@dataclass(frozen=True)
class Sample:
    """One exchange in words; `recorded` is what the recorder would have kept of it."""

    request: dict[str, Any] | bytes
    chunks: Sequence[bytes] = field(default_factory=lambda: message_stream("Hello."))
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    dialect: Dialect = Dialect.ANTHROPIC
    path: str = "/v1/messages"
    query: str = "beta=true"
    status: int = 200
    outcome: Outcome = Outcome.COMPLETED
    error: str | None = None
    request_headers: Pairs = ()
    response_headers: Pairs = (("content-type", "text/event-stream; charset=utf-8"),)
    first_ms: int = 900
    gaps_ms: Sequence[int] = ()
    capture: str = "full"
    access_key: str = ""
    team: str = ""
    translated: Translated | None = None
    purpose: str = ""
    held_us: Sequence[tuple[int, int]] = ()
    rules: RulesApplied | None = None

    def recorded(self) -> Recorded:
        body = (
            self.request if isinstance(self.request, bytes) else json.dumps(self.request, ensure_ascii=False).encode()
        )
        times = self.times()
        provider = "anthropic" if self.dialect is Dialect.ANTHROPIC else "openai"
        attempt = Attempt(
            provider, f"https://api.{provider}.com", 400, 38_000, self.first_ms * 1_000 - 800, self.status
        )
        return Recorded(
            exchange_id=new_id(self.at).bytes,
            admission=self.admission(len(body), provider),
            end=End((times or [self.first_ms * 1_000])[-1] + 700, self.outcome, self.error, [attempt], self.capture),
            body=body,
            head=ResponseHead(self.first_ms * 1_000 - 800, self.status, raw(self.response_headers)),
            response=b"".join(self.chunks),
            times=times,
            sizes=[len(chunk) for chunk in self.chunks],
            translated=self.translated,
            held=list(self.held_us),
            rules=self.rules,
        )

    def admission(self, size: int, provider: str) -> Admission:
        return Admission(
            started_us=int(self.at.timestamp() * 1_000_000),
            method="POST",
            path=self.path,
            query=self.query,
            dialect=self.dialect,
            provider=provider,
            access_key=self.access_key,
            team=self.team,
            client_address="127.0.0.1",
            http_version="1.1",
            headers=raw(self.request_headers),
            body_bytes=size,
            purpose=self.purpose,
        )

    def times(self) -> list[int]:
        at, times = self.first_ms * 1_000, []
        for index in range(len(self.chunks)):
            at += (self.gaps_ms[index % len(self.gaps_ms)] if self.gaps_ms and index else 0) * 1_000 + 21_000 * bool(
                index
            )
            times.append(at)
        return times


def raw(pairs: Pairs) -> list[tuple[bytes, bytes]]:
    return [(name.encode("utf-8"), value.encode("utf-8")) for name, value in pairs]


counter = iter(range(1 << 62))


def new_id(at: datetime) -> uuid.UUID:
    """A UUIDv7 of that time; those of one millisecond rise in the order they are made."""
    milliseconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | 2 << 62 | next(counter))


def keep(samples: Iterable[Sample]) -> list[uuid.UUID]:
    """Store them as the loader does; their ids in the same order."""
    builder = RowBuilder(TAG_HEADERS, read_book())
    rows = [builder.build(sample.recorded()) for sample in samples]
    connection.ensure_connection()
    writer = HistoryWriter(connection.connection)
    writer.ensure_months(rows)
    writer.write(rows)
    writer.settle(rows)
    return [row.id for row in rows]


def keep_one(sample: Sample) -> uuid.UUID:
    return keep([sample])[0]
