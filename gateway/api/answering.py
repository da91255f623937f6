"""What goes out to a target, and what becomes of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gateway.api.demoting import folded_reply, is_event_stream
from gateway.api.failure_log import log_failed_forward
from gateway.api.forwarding import inbound_headers, outbound_headers, with_extra
from gateway.api.plain_body import CODING
from gateway.api.refusals import Refusal, render
from gateway.api.replies import HeaderPair, RelayedReply, Reply
from gateway.api.translating import plan, translated_headers, translated_record, translated_reply
from gateway.dialects.demotion import DEMOTED
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect
from gateway.dialects.request_facts import Patch, patched, replace_model
from gateway.dialects.translation import Translation
from gateway.policy.access import Replace, Treatment
from gateway.policy.routing import Target
from gateway.policy.snapshot import ProviderEntry
from gateway.recording.exchange import Exchange
from gateway.upstream.addresses import host_of
from gateway.upstream.client import httpx
from gateway.upstream.errors import describe, fault_of
from gateway.upstream.failures import UpstreamFailure

if TYPE_CHECKING:
    from gateway.api.facts import Bodies, Facts
    from gateway.api.request import GatewayRequest
    from gateway.api.streaming import ExchangeStream

CONTENT_TYPE = b"content-type"
KINDS = {
    "api_error": ErrorKind.API_ERROR,
    "timeout_error": ErrorKind.TIMEOUT,
    "invalid_request_error": ErrorKind.INVALID_REQUEST,
}


class Outgoing(NamedTuple):
    """`target`: path and query. `patches`: what of the body was replaced."""

    target: bytes
    headers: list[HeaderPair]
    body: bytes
    patches: list[Patch]
    translation: Translation | None = None


def outgoing(request: GatewayRequest, facts: Facts, target: Target, treatment: Treatment, bodies: Bodies) -> Outgoing:
    """The request as this target gets it: its own bytes, with what the route replaces in them, or a translation.

    Raises Refusal for what cannot be said to it.
    """
    if target.speaks is not None:
        return outgoing_translated(request, facts, target, target.speaks, treatment, bodies.continued)
    provider = target.provider
    changes = list(facts.changes)
    if target.model is not None and bodies.plain:
        changes += replace_model(bodies.plain, target.model)[1]
    body, patches, pairs = bodies.sent, changes, request.pairs
    if changes and bodies.plain is not None:
        body = patched(bodies.plain, changes)
        if bodies.plain is not bodies.sent:
            # It goes out without its content coding; the offsets are not those of the body as it is kept.
            patches, pairs = [], [pair for pair in pairs if pair[0] != CODING]
    headers = outbound_headers(pairs, host=host_of(provider.address), treatment=treatment, body_bytes=len(body))
    if provider.extra_headers:
        headers = with_extra(headers, provider.extra_headers)
    return Outgoing(request.target, headers, body, patches)


def outgoing_translated(
    request: GatewayRequest, facts: Facts, target: Target, speaks: Dialect, treatment: Treatment, body: bytes
) -> Outgoing:
    """A credential of the caller's never crosses dialects: the provider's own goes along."""
    translation = plan(request, body, target, speaks, facts)
    credential = treatment.header if isinstance(treatment, Replace) else None
    headers = translated_headers(request, translation, credential, host_of(target.provider.address))
    if target.provider.extra_headers:
        headers = with_extra(headers, target.provider.extra_headers)
    return Outgoing(translation.encoded.path, headers, translation.encoded.body, [], translation)


async def accept(
    request: GatewayRequest, facts: Facts, stream: ExchangeStream, sent: Outgoing, response: httpx.Response
) -> Reply:
    """The answer that the client gets, from its first byte on."""
    raw = response.headers.raw
    status = response.status_code
    stream.exchange.response_head(status, raw)
    if sent.translation is not None:
        record = translated_record(request, sent.translation)
        stream.exchange.translated(record)
        return await translated_reply(request, stream, response, sent.translation, record, facts.keeping)
    if facts.handling == DEMOTED and status == 200 and is_event_stream(raw):
        return await folded_reply(request, stream, response)
    stream.attach(response, events=is_plain_event_stream(raw))
    return RelayedReply(status, inbound_headers(raw), stream)


def failed(
    request: GatewayRequest, stream: ExchangeStream, provider: ProviderEntry, began: int, failure: UpstreamFailure
) -> Reply:
    """No answer came: the caller is told which provider failed, in which phase, after how long."""
    exchange = stream.exchange
    fault = fault_of(failure)
    seconds = (exchange.elapsed_us() - began) / 1e6
    name = f"The provider {provider.name} ({provider.address})"
    message = f"{describe(failure, name, seconds)} (phase {failure.phase})"
    log_failed_forward(request, failure, exchange.elapsed_us() - began)
    reply = render(request, Refusal(KINDS[fault.kind], message), exchange.id)
    observe_own(exchange, reply)
    stream.conclude(fault.outcome, message)
    return reply


def observe_own(exchange: Exchange, reply: Reply) -> None:
    """Record an answer of ours."""
    exchange.response_head(reply.status_code, reply.pairs)
    exchange.chunk(reply.body)


def is_plain_event_stream(headers: list[HeaderPair]) -> bool:
    """Server-sent events without a content coding."""
    kind, coding = b"", b"identity"
    for name, value in headers:
        if len(name) == len(CONTENT_TYPE) and name.lower() == CONTENT_TYPE:
            kind = value
        elif len(name) == len(CODING) and name.lower() == CODING:
            coding = value
    return kind.lower().startswith(b"text/event-stream") and coding.strip().lower() == b"identity"
