"""Our own refusals for Responses. The envelope has no place for a request id: it goes out as a header."""

from __future__ import annotations

import msgspec

from gateway.dialects.failures import FAILURES, ErrorKind
from gateway.dialects.openai_envelope import encode_envelope


def encode_error(kind: ErrorKind, message: str, request_id: str) -> bytes:
    """The JSON body of an error answer."""
    return encode_envelope(kind, message)


def encode_stream_error(kind: ErrorKind, message: str, request_id: str, sequence_number: int = 0) -> bytes:
    """The event that ends a stream that has begun. `sequence_number` continues the stream's count where it is known."""
    failure = FAILURES[kind]
    event = {
        "type": "error",
        "sequence_number": sequence_number,
        "code": failure.openai_code or failure.openai_type,
        "message": message,
        "param": None,
    }
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"
