"""The way of a request: who calls, where it goes, the record of it, the provider, the answer.

Bytes are relayed, not understood: of the body only the envelope is read (`model`, `stream`, `max_tokens`), and a body
that cannot be read is relayed all the same. The provider is the authority on what it takes.
"""

from __future__ import annotations

import time

from gateway.api.answering import observe_own
from gateway.api.attempts import Attempts
from gateway.api.deciding import decide
from gateway.api.facts import Facts
from gateway.api.own_ways import Answering
from gateway.api.refusals import Refusal, render, unavailable
from gateway.api.replies import Reply
from gateway.api.request import GatewayRequest
from gateway.api.streaming import ExchangeStream
from gateway.dialects.names import Outcome
from gateway.policy.access import read_credentials
from gateway.policy.capture import CaptureMode, CaptureRule
from gateway.recording.exchange import Exchange
from gateway.recording.recorder import CaptureUnavailable
from gateway.recording.records import Admission


async def relay(request: GatewayRequest) -> Reply:
    """Relay the request in its own dialect. A refusal of ours is recorded as denied, without its body."""
    facts = Facts(read_credentials(request.pairs))
    try:
        await decide(request, facts)
        exchange = begin(request, facts)
    except Refusal as refusal:
        return deny(request, facts, refusal)
    if facts.own is not None:
        return await answer_by_ourselves(request, facts, exchange, facts.own)
    stream = request.stream = ExchangeStream(request, exchange)
    exchange.request_body(facts.body)
    bodies = facts.hand_over()
    request.facts = facts
    request.watch()
    reply = await Attempts(request, stream, facts).run(bodies)
    request.sent_on()
    return reply


def begin(request: GatewayRequest, facts: Facts) -> Exchange:
    """The admission record, written before the provider is contacted. Raises Refusal when it must be and cannot."""
    policy = capture_policy(request, facts)
    if policy is not None and (policy.mode is not CaptureMode.FULL or policy.masks):
        facts.keeping = None  # what is not to be on disk is not kept for a conversation to go on from
    try:
        return request.runtime.recorder.admit(request.identity().bytes, admission(request, facts), policy)
    except CaptureUnavailable as unable:
        raise unavailable(f"{unable}. This gateway keeps everything or serves nothing.", unable.retry_after) from None


def capture_policy(request: GatewayRequest, facts: Facts) -> CaptureRule | None:
    """How much of the request is to be kept; None: all."""
    snapshot = request.runtime.configuration.current
    if snapshot is None or snapshot.capture is None:
        return None
    caller = facts.caller
    team, member, key = (caller.team, caller.member, caller.name) if caller else ("", "", "")
    return snapshot.capture.choose(team or request.label, member, key, facts.envelope.model or "", request.path)


def admission(request: GatewayRequest, facts: Facts) -> Admission:
    caller = facts.caller
    first = facts.plan.targets[0] if facts.plan.targets else None
    path, _, query = request.target.partition(b"?")
    return Admission(
        started_us=time.time_ns() // 1000,
        method=request.method,
        path=path.decode("latin-1"),
        query=query.decode("latin-1"),
        dialect=request.dialect.value,
        provider=first.provider.name if first else "",
        access_key=caller.name if caller else "",
        team=(caller.team if caller else "") or request.label,
        client_address=request.client_address,
        http_version=request.scope.get("http_version", "1.1"),
        headers=request.pairs,
        body_bytes=len(facts.body),
        requested_model=facts.envelope.model,
        routed_model=(first.model if first else None) or facts.envelope.model,
        is_streaming=facts.envelope.stream,
        handling=facts.handling,
        purpose=facts.errand.purpose if facts.errand else "",
        replay_of=facts.errand.replayed_id if facts.errand else b"",
        label=request.label,
    )


def deny(request: GatewayRequest, facts: Facts, refusal: Refusal) -> Reply:
    """Answer the refusal, and record that it happened where the history can be kept."""
    facts.body = b""
    exchange_id = request.identity().bytes
    try:
        exchange = request.runtime.recorder.admit(
            exchange_id, admission(request, facts), capture_policy(request, facts)
        )
    except CaptureUnavailable:
        return render(request, refusal)
    reply = render(request, refusal, exchange_id)
    observe_own(exchange, reply)
    tell_live(request, facts, exchange, reply, Outcome.DENIED, refusal.message)
    exchange.finish(Outcome.DENIED, refusal.message)
    return reply


def tell_live(
    request: GatewayRequest, facts: Facts, exchange: Exchange, reply: Reply, outcome: Outcome, error: str = ""
) -> None:
    """Of a request that no provider saw; nothing while nobody looks."""
    live = request.runtime.live
    if live.watched:
        live.answered_here(request, facts, exchange, reply.status_code, outcome, error)


async def answer_by_ourselves(request: GatewayRequest, facts: Facts, exchange: Exchange, own: Answering) -> Reply:
    """An answer that needs no provider, recorded with the request it answers."""
    exchange.request_body(facts.body)
    facts.hand_over()
    try:
        reply = await own()
    except BaseException as fault:
        exchange.finish(Outcome.INTERRUPTED, repr(fault))
        raise
    observe_own(exchange, reply)
    tell_live(request, facts, exchange, reply, Outcome.COMPLETED)
    exchange.finish(Outcome.COMPLETED)
    return reply
