"""The error envelope that all of OpenAI's endpoints share."""

from __future__ import annotations

import msgspec

from gateway.dialects.failures import FAILURES, ErrorKind


def encode_envelope(kind: ErrorKind, message: str) -> bytes:
    """The JSON body of an error answer."""
    failure = FAILURES[kind]
    error = {"message": message, "type": failure.openai_type, "param": None, "code": failure.openai_code}
    return msgspec.json.encode({"error": error})
