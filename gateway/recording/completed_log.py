"""`request_completed` on the logger `turnlog.metrics`: one line for each exchange once it is in the history.

The loader writes it and not the web process, because tokens and messages are only known when the bodies have been read.
It comes after the rows are committed: what is logged can be looked up, and an exchange is logged once, unless the
loader is killed between the two. Values nobody reported are null, never zero.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import structlog

from gateway.history.writer import COLUMNS, ExchangeRows

NAME = "turnlog.metrics"
REQUEST_COLUMNS = [name for name, _ in COLUMNS["gateway_requestlog"]]
RESPONSE_COLUMNS = [name for name, _ in COLUMNS["gateway_responselog"]]

log = structlog.get_logger(NAME)


def log_completed(exchanges: Sequence[ExchangeRows]) -> None:
    if not logging.getLogger(NAME).isEnabledFor(logging.INFO):
        return
    for rows in exchanges:
        log.info("request_completed", **line(rows))


def line(rows: ExchangeRows) -> dict[str, Any]:
    """The fields; times in milliseconds since the admission, tokens as the provider counted them."""
    # The last column, the scope, is only known to the writer.
    request = dict(zip(REQUEST_COLUMNS, rows.request, strict=False))
    response = dict(zip(RESPONSE_COLUMNS, rows.response, strict=True))
    return {
        "request_id": str(rows.id),
        "started_at": request["started_at"].isoformat(),
        "model": request["model"] or request["routed_model"] or request["requested_model"],
        "provider": request["provider"] or None,
        "status": request["status_code"],
        "outcome": str(request["outcome"]),
        "duration_ms": response["duration_ms"],
        "first_byte_ms": response["first_byte_ms"],
        "input_tokens": response["input_tokens"],
        "output_tokens": response["output_tokens"],
        "cache_read_tokens": response["cache_read_tokens"],
        "cache_write_tokens": response["cache_write_tokens"],
        "messages": request["message_count"],
    }
