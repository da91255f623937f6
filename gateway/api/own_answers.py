"""Answers the gateway gives by itself: to whom it may, recorded like any other exchange, without a provider."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from gateway.api.answering import observe_own
from gateway.api.deciding import check_access
from gateway.api.facts import Facts
from gateway.api.refusals import Refusal, unavailable
from gateway.api.relay import begin, deny
from gateway.api.replies import Reply
from gateway.api.request import GatewayRequest
from gateway.dialects.names import Outcome
from gateway.policy.access import read_credentials


async def answer_own(request: GatewayRequest, write: Callable[[GatewayRequest, Facts], Awaitable[Reply]]) -> Reply:
    """What `write` answers, once the caller may have it. A Refusal it raises is answered and recorded as denied."""
    facts = Facts(read_credentials(request.pairs))
    try:
        snapshot = request.runtime.configuration.current
        if snapshot is None:
            raise unavailable("The gateway is starting and has not read its configuration yet. Try again.", 1)
        facts.admitted = check_access(request, facts.presented, snapshot)
        reply = await write(request, facts)
        exchange = begin(request, facts)
    except Refusal as refusal:
        return deny(request, facts, refusal)
    observe_own(exchange, reply)
    exchange.finish(Outcome.COMPLETED)
    return reply
