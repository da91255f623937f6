"""The way of a request: who calls, where it goes, the record of it, the provider, the answer.

Bytes are relayed, not understood: of the body only the envelope is read (`model`, `stream`, `max_tokens`), and a body
that cannot be read is relayed all the same. The provider is the authority on what it takes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from gateway.api.demoting import DEMOTED, folded_reply, is_event_stream
from gateway.api.errands import errand_destination, errand_of, errand_treatment
from gateway.api.failure_log import log_failed_forward
from gateway.api.forwarding import inbound_headers, outbound_headers
from gateway.api.keeping import Keeping, continue_conversation
from gateway.api.model_names import find_destination
from gateway.api.own_ways import Answering, own_way
from gateway.api.plain_body import CODING, needed, plain_body
from gateway.api.refusals import Refusal, check_room, read_or_refuse, render, unavailable
from gateway.api.replies import RelayedReply, Reply
from gateway.api.request import GatewayRequest, HeaderPair
from gateway.api.streaming import ExchangeStream
from gateway.api.translating import PATHS, plan, translated_headers, translated_record, translated_reply
from gateway.dialects.demotion import demote
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Outcome
from gateway.dialects.request_facts import Envelope, Patch, patched, read_envelope, replace_model
from gateway.dialects.translation import Translation
from gateway.policy.access import (
    Admitted,
    Denied,
    Presented,
    Replace,
    Treatment,
    admit,
    read_credentials,
    treat_credentials,
)
from gateway.policy.errands import Errand
from gateway.policy.routing import Destination, Untranslatable
from gateway.policy.snapshot import ProviderEntry, Snapshot
from gateway.recording.recorder import CaptureUnavailable, Exchange
from gateway.recording.records import Admission, Attempt
from gateway.upstream.errors import describe, fault_of
from gateway.upstream.failures import UpstreamFailure

NO_ENVELOPE = Envelope()
KINDS = {
    "api_error": ErrorKind.API_ERROR,
    "timeout_error": ErrorKind.TIMEOUT,
    "invalid_request_error": ErrorKind.INVALID_REQUEST,
}


@dataclass(slots=True)
class Facts:
    """What is known of a request so far; what it was refused for is recorded with it."""

    presented: Presented
    admitted: Admitted | None = None
    envelope: Envelope = NO_ENVELOPE
    destination: Destination | None = None
    translation: Translation | None = None
    keeping: Keeping | None = None
    own: Answering | None = None
    """What answers without a provider."""
    handling: str = ""
    """What the record says of a request that was not simply passed on."""
    changes: list[Patch] = field(default_factory=list)
    """What of the body is replaced on the way out."""
    uncoded: bytes | None = None
    """The body without its content coding, when it goes out so because something in it is replaced."""
    body: bytes = b""
    """Empty once it was handed over: nothing of ours may hold it while the answer streams."""
    body_bytes: int = 0
    errand: Errand | None = None
    """What Turnlog itself sent it for."""


async def relay(request: GatewayRequest) -> Reply:
    """Relay the request in its own dialect. A refusal of ours is recorded as denied, without its body."""
    facts = Facts(read_credentials(request.pairs))
    try:
        treatment = await decide(request, facts)
        exchange = begin(request, facts)
    except Refusal as refusal:
        return deny(request, facts, refusal)
    if facts.own is not None:
        return await answer_by_ourselves(request, facts, exchange, facts.own)
    stream = request.stream = ExchangeStream(request, exchange)
    assert facts.destination is not None
    body = prepare_body(exchange, facts)
    facts.body = b""
    request.facts = facts
    request.watch()
    reply = await forward(request, stream, facts.destination.provider, treatment, body, facts.translation)
    request.sent_on()
    return reply


async def decide(request: GatewayRequest, facts: Facts) -> Treatment:
    """Fill in the facts in the order they cost; raises Refusal."""
    snapshot = request.runtime.configuration.current
    if snapshot is None:
        raise unavailable("The gateway is starting and has not read its configuration yet. Try again.", 1)
    facts.errand = errand_of(request, facts.presented)
    if facts.errand is None:
        facts.admitted = check_access(request, facts.presented, snapshot)
    check_room(request)
    facts.body = await read_or_refuse(request)
    facts.body_bytes = len(facts.body)
    if facts.errand is not None:
        facts.destination = errand_destination(request, facts.errand, snapshot)
        return errand_treatment(facts.errand, facts.presented, facts.destination.provider)
    assert facts.admitted is not None
    plain = await plain_body(request, facts.body)
    facts.envelope = envelope_of(request, plain)
    model = facts.envelope.model
    destination = find_destination(snapshot, request.runtime.discovery.catalogue, request.dialect, model)
    if isinstance(destination, Untranslatable):
        raise Refusal(
            ErrorKind.NOT_SUPPORTED,
            f"The route of the model {model} leads to the provider {destination.provider.name}, which speaks the "
            f"{destination.provider.dialect.value} API; this request speaks {request.dialect.value}, of "
            "which only conversations are translated. Ask for another model, or call that provider's API.",
        )
    facts.destination = destination
    own = own_way(request, destination, plain)
    if own is not None:
        facts.handling, facts.own = own
        return Replace(None)
    if destination.speaks is not None:
        body, facts.keeping = await continue_conversation(request, facts, needed(request, plain))
        facts.translation = plan(request, body, destination, model or "")
        if destination.route is not None and destination.route.demote and not facts.envelope.stream:
            facts.handling = DEMOTED
        return Replace(None)  # a credential of the caller's never crosses dialects: the provider's own goes along
    note_changes(request, facts, plain)
    treatment = treat_credentials(snapshot, facts.admitted, facts.presented, destination.provider)
    if isinstance(treatment, Denied):
        raise Refusal(ErrorKind.AUTHENTICATION, treatment.message)
    return treatment


def check_access(request: GatewayRequest, presented: Presented, snapshot: Snapshot) -> Admitted:
    admitted = admit(snapshot, presented, request.runtime.access_pepper, time.time())
    if isinstance(admitted, Denied):
        raise Refusal(ErrorKind.AUTHENTICATION, admitted.message)
    return admitted


def envelope_of(request: GatewayRequest, plain: bytes | None) -> Envelope:
    """What the body says of model and streaming; nothing when it cannot be decoded, is a form or empty."""
    if not plain:
        return NO_ENVELOPE
    content_type = request.header(b"content-type")
    if content_type is not None and b"json" not in content_type.lower():
        return NO_ENVELOPE
    return read_envelope(plain)


def note_changes(request: GatewayRequest, facts: Facts, plain: bytes | None) -> None:
    """What the route has replaced in a body that is relayed: the model, and with a demotion the wish for a stream."""
    destination = facts.destination
    if destination is None or not plain:
        return
    if destination.model is not None:
        facts.changes += replace_model(plain, destination.model)[1]
    route = destination.route
    if route is not None and route.demote and request.path == PATHS.get(request.dialect):
        demoted = demote(request.dialect, plain)
        if demoted is not None:
            facts.handling = DEMOTED
            facts.changes += demoted[1]
    if facts.changes and plain is not facts.body:
        facts.uncoded = plain


def begin(request: GatewayRequest, facts: Facts) -> Exchange:
    """The admission record, written before the provider is contacted. Raises Refusal when it must be and cannot."""
    try:
        return request.runtime.recorder.admit(request.identity().bytes, admission(request, facts))
    except CaptureUnavailable as unable:
        raise unavailable(f"{unable}. This gateway keeps everything or serves nothing.", unable.retry_after) from None


def admission(request: GatewayRequest, facts: Facts) -> Admission:
    caller = facts.admitted.caller if facts.admitted else None
    destination = facts.destination
    client = request.scope.get("client")
    path, _, query = request.target.partition(b"?")
    return Admission(
        started_us=time.time_ns() // 1000,
        method=request.method,
        path=path.decode("latin-1"),
        query=query.decode("latin-1"),
        dialect=request.dialect.value,
        provider=destination.provider.name if destination else "",
        access_key=caller.name if caller else "",
        team=caller.team if caller else "",
        client_address=str(client[0]) if client else "",
        http_version=request.scope.get("http_version", "1.1"),
        headers=request.pairs,
        body_bytes=len(facts.body),
        requested_model=facts.envelope.model,
        routed_model=(destination.model if destination else None) or facts.envelope.model,
        is_streaming=facts.envelope.stream,
        handling=facts.handling,
        purpose=facts.errand.purpose if facts.errand else "",
        replay_of=facts.errand.replayed_id if facts.errand else b"",
    )


def deny(request: GatewayRequest, facts: Facts, refusal: Refusal) -> Reply:
    """Answer the refusal, and record that it happened where the history can be kept."""
    facts.body = b""
    exchange_id = request.identity().bytes
    try:
        exchange = request.runtime.recorder.admit(exchange_id, admission(request, facts))
    except CaptureUnavailable:
        return render(request, refusal)
    reply = render(request, refusal, exchange_id)
    observe_own(exchange, reply)
    exchange.finish(Outcome.DENIED, refusal.message)
    return reply


def observe_own(exchange: Exchange, reply: Reply) -> None:
    """Record an answer of ours."""
    exchange.response_head(reply.status_code, reply.pairs)
    exchange.chunk(reply.body)


async def answer_by_ourselves(request: GatewayRequest, facts: Facts, exchange: Exchange, own: Answering) -> Reply:
    """An answer that needs no provider, recorded with the request it answers."""
    exchange.request_body(facts.body)
    facts.body = b""
    try:
        reply = await own()
    except BaseException as fault:
        exchange.finish(Outcome.INTERRUPTED, repr(fault))
        raise
    observe_own(exchange, reply)
    exchange.finish(Outcome.COMPLETED)
    return reply


def prepare_body(exchange: Exchange, facts: Facts) -> bytes:
    """Record the body as it came; return it as it goes out, with the bytes replaced that the route has replaced."""
    exchange.request_body(facts.body)
    if facts.translation is not None:
        return facts.translation.encoded.body
    if not facts.changes:
        return facts.body
    if facts.uncoded is not None:
        # The offsets are not those of the body as it is kept.
        return patched(facts.uncoded, facts.changes)
    for start, end, text in facts.changes:
        exchange.patch(start, end, text)
    return patched(facts.body, facts.changes)


async def forward(
    request: GatewayRequest,
    stream: ExchangeStream,
    provider: ProviderEntry,
    treatment: Treatment,
    body: bytes,
    translation: Translation | None,
) -> Reply:
    """Send it to the provider and return the beginning of its answer."""
    exchange = stream.exchange
    host = host_of(provider.address)
    if translation is None:
        target = request.target
        headers = outbound_headers(sent_pairs(request), host=host, treatment=treatment, body_bytes=len(body))
    else:
        target = translation.encoded.path
        headers = translated_headers(request, translation, provider, host)
        record = translated_record(request, translation)
        exchange.translated(record)
    began = exchange.elapsed_us()
    try:
        response = await request.runtime.upstream.send(request.method, provider.address, target, headers, body)
    except UpstreamFailure as failure:
        return failed(request, stream, provider, began, failure)
    wire = response.extensions.get("wire")
    connected = began + wire.connected_us if wire is not None and wire.connected_us is not None else None
    status = response.status_code
    exchange.attempt(Attempt(provider.name, provider.address, began, connected, exchange.elapsed_us(), status))
    raw = response.headers.raw
    exchange.response_head(status, raw)
    if translation is not None:
        keeping = request.facts.keeping if request.facts is not None else None
        return await translated_reply(request, stream, response, translation, record, keeping)
    if request.facts is not None and request.facts.handling == DEMOTED and status == 200 and is_event_stream(raw):
        return await folded_reply(request, stream, response)
    stream.attach(response, events=is_plain_event_stream(raw))
    return RelayedReply(status, inbound_headers(raw), stream)


def sent_pairs(request: GatewayRequest) -> list[HeaderPair]:
    """The caller's headers; without the content coding when the body goes out without it."""
    if request.facts is None or request.facts.uncoded is None:
        return request.pairs
    return [pair for pair in request.pairs if pair[0] != CODING]


def failed(
    request: GatewayRequest, stream: ExchangeStream, provider: ProviderEntry, began: int, failure: UpstreamFailure
) -> Reply:
    """No answer came: the caller is told which provider failed, in which phase, after how long."""
    exchange = stream.exchange
    fault = fault_of(failure)
    seconds = (exchange.elapsed_us() - began) / 1e6
    name = f"The provider {provider.name} ({provider.address})"
    message = f"{describe(failure, name, seconds)} (phase {failure.phase})"
    exchange.attempt(Attempt(provider.name, provider.address, began, error=failure.reason, phase=failure.phase))
    log_failed_forward(request, failure, exchange.elapsed_us() - began)
    reply = render(request, Refusal(KINDS[fault.kind], message), exchange.id)
    observe_own(exchange, reply)
    stream.conclude(fault.outcome, message)
    return reply


def is_plain_event_stream(headers: list[HeaderPair]) -> bool:
    kinds: dict[bytes, bytes] = {name.lower(): value for name, value in headers}
    plain = kinds.get(b"content-encoding", b"identity").strip().lower() == b"identity"
    return plain and kinds.get(b"content-type", b"").lower().startswith(b"text/event-stream")


@lru_cache(maxsize=1024)
def host_of(address: str) -> bytes:
    """The `Host` header for a provider's address."""
    return urlsplit(address).netloc.encode("ascii")
