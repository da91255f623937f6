"""A request's body without its content coding, for those who have to read it. What is relayed stays as it came."""

from __future__ import annotations

import asyncio
from typing import Final

from gateway.api.refusals import Refusal
from gateway.api.request import GatewayRequest
from gateway.dialects.content import decode_body
from gateway.dialects.failures import ErrorKind

CODING: Final = b"content-encoding"
ON_LOOP_BYTES: Final = 64 * 1024
"""Up to this size a body is decoded at once; a larger one in a thread."""


async def plain_body(request: GatewayRequest, body: bytes) -> bytes | None:
    """The body itself when it has no coding; None when its coding cannot be undone."""
    coding = request.header(CODING)
    if not body or coding is None or coding.strip().lower() in (b"", b"identity"):
        return body
    limit = request.runtime.environment.max_request_bytes
    if len(body) <= ON_LOOP_BYTES:
        decoded = decode_body(coding, body, limit)
    else:
        decoded = await asyncio.to_thread(decode_body, coding, body, limit)
    return None if decoded.error else decoded.data


def needed(request: GatewayRequest, plain: bytes | None) -> bytes:
    """The body, for who cannot do without. Raises Refusal."""
    if plain is None:
        coding = (request.header(CODING) or b"").decode("latin-1")
        raise Refusal(
            ErrorKind.INVALID_REQUEST,
            f"The body cannot be read: it is not whole or no {coding}. Codings that are understood: gzip, deflate, br, "
            "zstd. Send it without one.",
        )
    return plain
