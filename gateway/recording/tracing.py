"""Puts stored requests down for sending as spans, in the transaction that stores them (see `gateway/tracing/`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from gateway.history.writer import ExchangeRows
from gateway.policy.trace_sampling import is_traced
from gateway.recording.tallying import OURS, place

PUT_DOWN = """
INSERT INTO gateway_waitingtrace (request_id) SELECT unnest(%s::uuid[]) ON CONFLICT DO NOTHING
"""
PURPOSE, TRACE = (place("gateway_requestlog", name) for name in ("purpose", "trace_id"))


class Tracer:
    """`share`: which part of the traces, from 0 to 1, where the client does not say."""

    def __init__(self, share: float) -> None:
        self._share = share

    def write(self, connection: psycopg.Connection[Any], exchanges: Sequence[ExchangeRows]) -> None:
        """In the transaction the connection is in. Raises psycopg.Error."""
        traced = [rows.id for rows in exchanges if self.wants(rows)]
        if traced:
            connection.execute(PUT_DOWN, [traced])

    def wants(self, rows: ExchangeRows) -> bool:
        """Repetitions carry the client's trace once more and are none of its requests."""
        if rows.request[PURPOSE] in OURS:
            return False
        return is_traced(rows.request[TRACE] or rows.id.hex, rows.is_sampled, self._share)
