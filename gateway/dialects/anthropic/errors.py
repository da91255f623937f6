"""Our own refusals in Anthropic's envelope."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.dialects.failures import FAILURES, ErrorKind


def encode_error(kind: ErrorKind, message: str, request_id: str, details: Mapping[str, Any] | None = None) -> bytes:
    """The JSON body of an error answer; it names the request where that has an id. `details` are for programs."""
    error: dict[str, Any] = {"type": FAILURES[kind].anthropic_type, "message": message}
    if details is not None:
        error["details"] = details
    named = {"request_id": request_id} if request_id else {}
    return msgspec.json.encode({"type": "error", "error": error, **named})


def encode_stream_error(kind: ErrorKind, message: str, request_id: str) -> bytes:
    """The event that ends a stream that has begun."""
    return b"event: error\ndata: " + encode_error(kind, message, request_id) + b"\n\n"
