"""The other half of a demotion: the provider's stream, gathered and given to the caller as the answer it asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from gateway.api.forwarding import inbound_headers
from gateway.api.replies import Reply, bytes_reply
from gateway.dialects.content import decode_body
from gateway.dialects.demotion import Folded, fold_answer
from gateway.dialects.errors import encode_error
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect, Outcome

if TYPE_CHECKING:
    from gateway.api.request import GatewayRequest, HeaderPair
    from gateway.api.streaming import ExchangeStream
    from gateway.upstream.client import httpx

OF_THE_STREAM: Final = frozenset(
    {b"content-type", b"content-length", b"content-encoding", b"cache-control", b"x-accel-buffering"}
)
"""Headers of the provider's that speak of its stream, and not of the answer."""
ON_LOOP_BYTES: Final = 256 * 1024


def is_event_stream(headers: list[HeaderPair]) -> bool:
    return any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/event-stream") for name, value in headers
    )


async def folded_reply(request: GatewayRequest, source: ExchangeStream, response: httpx.Response) -> Reply:
    """Everything the provider sends, and then the answer it comes to."""
    raw = response.headers.raw
    source.attach(response, events=False)
    body = b"".join([chunk async for chunk in source])
    if source.broken:
        folded = broken_off(request, source)
    else:
        coding = next((value for name, value in raw if name.lower() == b"content-encoding"), b"")
        if len(body) <= ON_LOOP_BYTES:
            folded = unfolded(request.dialect, coding, body, request.id_text)
        else:
            folded = await asyncio.to_thread(unfolded, request.dialect, coding, body, request.id_text)
    if folded.problem is not None and not source.broken:
        source.overrule(Outcome.UPSTREAM_ERROR, folded.problem)
    kept = [pair for pair in inbound_headers(raw) if pair[0].lower() not in OF_THE_STREAM]
    return bytes_reply(folded.status, folded.body, b"application/json", kept)


def unfolded(dialect: Dialect, coding: bytes, body: bytes, request_id: str) -> Folded:
    return fold_answer(dialect, decode_body(coding, body).data, request_id)


def broken_off(request: GatewayRequest, source: ExchangeStream) -> Folded:
    problem = f"The provider's answer broke off: {source.problem}"
    return Folded(502, encode_error(request.dialect, ErrorKind.API_ERROR, problem, request.id_text), problem)
