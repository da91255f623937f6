"""Recorded sessions of real clients, put into the history as the loader does."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gateway.dialects.names import Outcome
from tests.exchanges import Sample, keep
from tests.transcripts.captured import Exchange, exchanges

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def recorded(name: str) -> list[Exchange]:
    """The exchanges of one capture file, in order."""
    return [exchange for exchange in exchanges() if exchange.name.rpartition("-")[0] == name]


def sample(exchange: Exchange, at: datetime, team: str = "") -> Sample:
    return Sample(
        exchange.request_body,
        [exchange.response_body[i : i + 700] for i in range(0, len(exchange.response_body), 700)],
        at=at,
        dialect=exchange.dialect,
        path=exchange.path,
        query="beta=true" if exchange.path == "/v1/messages" else "",
        status=exchange.status,
        outcome=outcome(exchange),
        request_headers=[(name.decode(), value.decode()) for name, value in exchange.request_headers],
        response_headers=[(name.decode(), value.decode()) for name, value in exchange.response_headers],
        team=team,
    )


def outcome(exchange: Exchange) -> Outcome:
    if exchange.status >= 400:
        return Outcome.UPSTREAM_ERROR
    ended = not exchange.is_stream or any(
        mark in exchange.response_body for mark in (b"message_stop", b"response.completed")
    )
    return Outcome.COMPLETED if ended else Outcome.UPSTREAM_ABORTED


def keep_session(
    name: str, *, gaps: Sequence[float] = (20.0,), team: str = "", start: datetime = START
) -> list[uuid.UUID]:
    """Store the capture; its ids in order. `gaps`: seconds between one request and the next, in turn."""
    samples, at = [], start
    for number, exchange in enumerate(recorded(name)):
        samples.append(sample(exchange, at, team))
        at += timedelta(seconds=gaps[number % len(gaps)])
    return keep(samples)
