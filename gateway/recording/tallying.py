"""What stored exchanges add to the counters of /metrics, in the transaction that stores them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
import structlog

from gateway.dialects.names import Outcome
from gateway.history.writer import COLUMNS, ExchangeRows
from gateway.metrics.bounded import (
    NONE,
    KnownModels,
    attempt_result,
    endpoint,
    error_type,
    read_known_models,
    status_class,
)
from gateway.metrics.tallies import Tallies

OURS = ("replay", "selftest")
"""Purposes of requests that are no usage."""
NOT_SENT = "not sent on"
KINDS = {
    f"{kind}_tokens": kind for kind in ("input", "output", "cache_read", "cache_write", "cache_write_1h", "thinking")
}

log = structlog.get_logger(__name__)


def place(table: str, name: str) -> int:
    return [column for column, _ in COLUMNS[table]].index(name)


REQUEST = {
    name: place("gateway_requestlog", name)
    for name in (
        "provider", "model", "routed_model", "requested_model", "dialect", "path", "status_code", "outcome",
        "is_streaming", "purpose",
    )
}  # fmt: skip
RESPONSE = {
    name: place("gateway_responselog", name)
    for name in ("first_byte_ms", "duration_ms", "error_type", "attempts", "usage", "cost_usd", "cost_note", *KINDS)
}


class Tallier:
    """Over one database connection; `known` is read again by whoever sees that the configuration was changed."""

    def __init__(self, shard: int) -> None:
        self.known = KnownModels()
        self._shard = shard

    def learn(self, connection: psycopg.Connection[Any]) -> None:
        """Raises psycopg.Error."""
        with psycopg.Cursor(connection) as cursor:
            self.known = read_known_models(cursor)

    def write(self, connection: psycopg.Connection[Any], exchanges: Sequence[ExchangeRows]) -> None:
        """In the transaction the connection is in. Raises psycopg.Error."""
        tallies = Tallies()
        for rows in exchanges:
            try:
                count(tallies, rows, self.known)
            except Exception:  # a counter is never worth an exchange
                log.exception("exchange not counted", request_id=str(rows.id))
        with psycopg.Cursor(connection) as cursor:
            tallies.write(cursor.execute, self._shard)


def count(tallies: Tallies, rows: ExchangeRows, known: KnownModels) -> None:
    request = {name: rows.request[at] for name, at in REQUEST.items()}
    if request["purpose"] in OURS:
        return
    response = {name: rows.response[at] for name, at in RESPONSE.items()}
    said = request["model"] or request["routed_model"] or request["requested_model"]
    by_model = (request["provider"] or NONE, known.label(said))
    by_endpoint = (*by_model, endpoint(request["path"]))
    status, outcome = request["status_code"], str(request["outcome"])
    told_apart = (*by_model, request["dialect"], by_endpoint[-1], status_class(status), outcome)
    tallies.add("requests_total", told_apart)
    if outcome != Outcome.COMPLETED or (status or 0) >= 400:
        tallies.add("errors_total", (*by_endpoint, error_type(response["error_type"], outcome, status)))
    for attempt in response["attempts"]:
        result = attempt_result(attempt["error"], attempt["phase"], attempt["status"])
        tallies.add("attempts_total", (attempt["provider"], result))
    count_times(tallies, by_endpoint, response)
    count_usage(tallies, by_model, response)
    count_pace(tallies, by_model, request, response)


def count_times(tallies: Tallies, labels: tuple[str, ...], response: dict[str, Any]) -> None:
    tallies.observe("request_duration_seconds", labels, response["duration_ms"] / 1000)
    if response["first_byte_ms"] is not None:
        tallies.observe("first_byte_seconds", labels, response["first_byte_ms"] / 1000)


def count_usage(tallies: Tallies, labels: tuple[str, ...], response: dict[str, Any]) -> None:
    """What is not known adds nothing, and shows in the counts of requests. Nor does what is less than nothing."""
    if response["usage"] is None or response["cost_note"] == NOT_SENT:
        return
    tallies.add("metered_requests_total", labels)
    for column, kind in KINDS.items():
        if response[column] is not None and response[column] > 0:
            tallies.add("tokens_total", (*labels, kind), response[column])
    if response["cost_usd"] is None:
        tallies.add("unpriced_requests_total", labels)
    elif response["cost_usd"] >= 0:
        tallies.add("cost_usd_total", labels, float(response["cost_usd"]))


def count_pace(tallies: Tallies, labels: tuple[str, ...], request: dict[str, Any], response: dict[str, Any]) -> None:
    """The same streams as in the sums by hour: those of which the tokens and both times are known."""
    first, tokens = response["first_byte_ms"], response["output_tokens"]
    if not request["is_streaming"] or first is None or not tokens:
        return
    seconds = (response["duration_ms"] - first) / 1000
    if seconds > 0 and tokens > 0:
        tallies.observe("output_tokens_per_second", labels, tokens / seconds)
