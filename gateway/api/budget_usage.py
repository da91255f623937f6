"""`GET /api/oauth/usage`: where a Claude Code that is signed in to a gateway reads its budget for `/usage` and the
status line. Not recorded: it is asked every few minutes, and answered from memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ninja import Router

from gateway.api.deciding import check_access
from gateway.api.facts import Facts
from gateway.api.limiting import who_of
from gateway.api.refusals import Refusal, unavailable
from gateway.api.replies import Reply, json_reply
from gateway.api.request import GatewayRequest
from gateway.dialects.failures import ErrorKind
from gateway.policy.access import read_credentials
from gateway.policy.budgets import usage_reply

if TYPE_CHECKING:
    from gateway.policy.budgets import Standing

router = Router(tags=["Anthropic"])
NO_STORE = [(b"cache-control", b"no-store")]


@router.get("/api/oauth/usage")
async def budget_usage(request: GatewayRequest) -> Reply:
    """The caller's budgets, the tightest of money as `extra_usage`; 404 without one."""
    reply = usage_reply(standings_of(request))
    if reply is None:
        raise Refusal(ErrorKind.NOT_FOUND, "No budget is set for you here.")
    return json_reply(200, reply, NO_STORE)


def standings_of(request: GatewayRequest) -> list[Standing]:
    """Of every budget that may be about the caller, whichever model is asked for."""
    snapshot = request.runtime.configuration.current
    if snapshot is None:
        raise unavailable("The gateway is starting and has not read its configuration yet. Try again.", 1)
    facts = Facts(read_credentials(request.pairs))
    facts.admitted = check_access(request, facts.presented, snapshot)
    book = snapshot.rulebook
    if book is None or (facts.caller is not None and facts.caller.name in book.exempt):
        return []
    who, counters = who_of(request, facts, book), request.runtime.counters
    now = counters.now()
    found = [(rule, replace(rule, models=()).subject(who)) for rule in book.budgets if rule.show]
    return [
        standing
        for rule, subject in found
        if subject is not None
        for standing in counters.counter(rule, subject, None, now).standings()
    ]
