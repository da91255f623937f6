"""Calls of a model's endpoints that need no provider: counting tokens where the provider cannot, and the short cuts a
route allows. Each is recorded, and says in the record that no provider was asked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from gateway.api.plain_body import needed
from gateway.api.refusals import Refusal, request_id_header
from gateway.api.replies import Reply, bytes_reply
from gateway.dialects.anthropic.shortcuts import answer_shortcut
from gateway.dialects.codecs import CODECS
from gateway.dialects.countable import countable
from gateway.dialects.failures import ErrorKind
from gateway.dialects.folding import unfold
from gateway.dialects.names import Dialect
from gateway.dialects.turn import Refused, Request
from gateway.upstream.tokenizer import count_tokens

if TYPE_CHECKING:
    from gateway.api.request import GatewayRequest
    from gateway.policy.routing import Plan

COUNTS = {Dialect.ANTHROPIC: "/v1/messages/count_tokens", Dialect.RESPONSES: "/v1/responses/input_tokens"}
MESSAGES = "/v1/messages"
ESTIMATE = (b"x-turnlog-estimate", b"input_tokens")
COUNTED = "counted"
SYNTHETIC = "synthetic: "
LARGEST_SHORTCUT = 256 * 1024

Answering = Callable[[], Awaitable[Reply]]


def own_way(request: GatewayRequest, plan: Plan, plain: bytes | None) -> tuple[str, Answering] | None:
    """What the record says of it, and what answers; None: a provider has to. Raises Refusal."""
    if plan.targets[0].speaks is not None and request.path == COUNTS.get(request.dialect):
        counted = read(request, needed(request, plain))
        return COUNTED, lambda: count(request, counted)
    route = plan.route
    if route is None or not route.shortcuts or request.path != MESSAGES or not plain or len(plain) > LARGEST_SHORTCUT:
        return None
    try:
        asked = CODECS[Dialect.ANTHROPIC].decode_request(plain)
    except Refused:
        return None  # the provider says what is wrong with it
    asked = msgspec.structs.replace(asked, tag=request.id_text)
    found = answer_shortcut(asked, route.shortcuts)
    if found is None:
        return None
    shortcut, answer = found
    codec = CODECS[Dialect.ANTHROPIC]
    if asked.stream:
        body, kind = codec.encode_stream(asked).encode(unfold(answer)), b"text/event-stream; charset=utf-8"
    else:
        body, kind = codec.encode_answer(answer, asked), b"application/json"
    pairs = [(request_id_header(request.dialect), request.id_text.encode())]
    return SYNTHETIC + shortcut.value, ready(bytes_reply(200, body, kind, pairs))


def ready(reply: Reply) -> Answering:
    async def answering() -> Reply:
        return reply

    return answering


def read(request: GatewayRequest, plain: bytes) -> Request:
    try:
        return CODECS[request.dialect].decode_request(plain)
    except Refused as refused:
        raise Refusal(ErrorKind.INVALID_REQUEST, refused.message) from None


async def count(request: GatewayRequest, asked: Request) -> Reply:
    """The tokens of a request: an estimate, and marked as one."""
    counted = countable(asked)
    tokens = counted.tokens + await count_tokens(counted.texts)
    answer: dict[str, object] = {"input_tokens": tokens}
    if request.dialect is Dialect.RESPONSES:
        answer = {"object": "response.input_tokens", **answer}
    return bytes_reply(200, json.dumps(answer).encode(), b"application/json", [ESTIMATE])
