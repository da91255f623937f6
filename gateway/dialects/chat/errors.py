"""Our own refusals for Chat Completions. The envelope has no place for a request id: it goes out as a header."""

from __future__ import annotations

from gateway.dialects.failures import ErrorKind
from gateway.dialects.openai_envelope import encode_envelope


def encode_error(kind: ErrorKind, message: str, request_id: str) -> bytes:
    """The JSON body of an error answer."""
    return encode_envelope(kind, message)


def encode_stream_error(kind: ErrorKind, message: str, request_id: str) -> bytes:
    """The chunk that ends a stream that has begun; no `[DONE]` follows it."""
    return b"data: " + encode_envelope(kind, message) + b"\n\n"
