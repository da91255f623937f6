"""Our own refusals and failures, told in the dialect of the caller. A provider's error reply is not one of these."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from gateway.api.replies import Reply, bytes_reply
from gateway.api.request import BodyTooLarge, GatewayRequest, HeaderPair, NoMemory
from gateway.dialects.errors import encode_error, is_final, status_of
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect

NO_MEMORY = "The gateway has no memory left for this request; those under way go on."
NO_CONNECTION = "The gateway has as many connections as its system allows (`ulimit -n`)."


class Refusal(Exception):
    """`message` says what to do next; `extra` are headers beside those the kind brings, `details` are for programs."""

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        extra: tuple[HeaderPair, ...] = (),
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.extra = extra
        self.details = details


def render(request: GatewayRequest, refusal: Refusal, exchange_id: bytes | None = None) -> Reply:
    """The reply; its request id is that of the exchange, when there is one in the history."""
    identifier = str(uuid.UUID(bytes=exchange_id)) if exchange_id else ""
    body = encode_error(request.dialect, refusal.kind, refusal.message, identifier, refusal.details)
    pairs = list(refusal.extra)
    if identifier:
        pairs.insert(0, (request_id_header(request.dialect), identifier.encode()))
    if is_final(refusal.kind):
        pairs.append((b"x-should-retry", b"false"))
    return bytes_reply(status_of(request.dialect, refusal.kind), body, b"application/json", pairs)


def request_id_header(dialect: Dialect) -> bytes:
    return b"request-id" if dialect is Dialect.ANTHROPIC else b"x-request-id"


def method_not_allowed(request: GatewayRequest, allowed: str) -> Refusal:
    return Refusal(
        ErrorKind.METHOD_NOT_ALLOWED,
        f"{request.path} does not take {request.method}; it takes {allowed}.",
        ((b"allow", allowed.encode("latin-1")),),
    )


def unavailable(message: str, retry_after: int) -> Refusal:
    return Refusal(ErrorKind.UNAVAILABLE, message, ((b"retry-after", b"%d" % retry_after),))


def check_room(request: GatewayRequest) -> None:
    """Take the request in while its connection to a provider can be had; else a Refusal, and the client leaves."""
    if not request.granted and not request.runtime.descriptors.grant():
        refusal = unavailable(f"{NO_CONNECTION} Try again soon.", 1)
        refusal.extra += ((b"connection", b"close"),)
        raise refusal
    request.granted = True


async def read_or_refuse(request: GatewayRequest) -> bytes:
    """The request's body; a Refusal when it is larger than this gateway takes."""
    limit = request.runtime.environment.max_request_bytes
    try:
        return await request.read_body(limit)
    except NoMemory:
        raise unavailable(f"{NO_MEMORY} Try again soon.", 1) from None
    except BodyTooLarge:
        raise Refusal(
            ErrorKind.TOO_LARGE, f"The request is larger than the {limit} bytes this gateway takes. Send less at once."
        ) from None
