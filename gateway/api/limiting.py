"""Limits and budgets on the way of a request: what it would need is held before it is sent on, what it came to is
counted when it is over, and the standing of its budgets is told in the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.api.own_ways import COUNTS
from gateway.api.refusals import Refusal
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Dialect, Outcome
from gateway.metering.counters import Exceeded, Hold, Why
from gateway.metering.usage import UsageWatch, Watched, rates_of
from gateway.policy.budgets import (
    PREFIX,
    Amount,
    HeaderPair,
    put_aside,
    refusal_headers,
    refusal_sentence,
    standing_headers,
    tightest,
)
from gateway.policy.limits import Measure, Scope, Who
from gateway.policy.rulebook import Rulebook

if TYPE_CHECKING:
    from gateway.api.facts import Facts
    from gateway.api.replies import Reply
    from gateway.api.request import GatewayRequest
    from gateway.policy.routing import Target

NO_ANSWER_OF_A_MODEL = frozenset({*COUNTS.values(), "/v1/messages/batches", "/v1/batches"})
LONGEST_SESSION = 200


class Limited:
    """What one request holds, until `close`."""

    __slots__ = ("_book", "_hold", "_watched")

    def __init__(self, hold: Hold, watched: Watched | None, book: Rulebook) -> None:
        self._hold = hold
        self._book = book
        self._watched = watched

    def moved(self, request: GatewayRequest, facts: Facts, target: Target) -> None:
        """Another target answers than the first."""
        self._hold.move(self._book, who_of(request, facts, self._book, target))

    def answered(
        self, status: int, headers: Sequence[HeaderPair], dialect: Dialect, provider: str
    ) -> tuple[UsageWatch, ...]:
        """What is to see the provider's answer."""
        if self._watched is None:
            return ()
        return (self._watched.answered(status, headers, dialect, provider),)

    def tell(self, dialect: Dialect, reply: Reply) -> Reply:
        """The answer with the standing of the budgets, in the place of what the provider says of its own limits."""
        if dialect is not Dialect.ANTHROPIC or reply.status_code != 200:
            return reply
        standing = tightest(self._hold.standings())
        if standing is not None:
            kept = [pair for pair in reply.pairs if not pair[0].lower().startswith(PREFIX)]
            reply.pairs = [*kept, *standing_headers(standing)]
        return reply

    def close(self, outcome: Outcome | None) -> None:
        if self._watched is not None:
            self._watched.close(outcome)
        else:
            self._hold.close()


def limit(request: GatewayRequest, facts: Facts, book: Rulebook) -> None:
    """Hold what the request needs; raises Refusal."""
    caller = facts.caller
    if caller is not None and caller.name in book.exempt:
        return
    counters = request.runtime.counters
    while True:
        who = who_of(request, facts, book)
        aside = aside_of(request, facts, book, who) if asks_a_model(request, facts) else None
        try:
            hold = counters.admit(book, who, aside)
            break
        except Exceeded as exceeded:
            if not pass_over(facts, exceeded):
                request.runtime.tallies.add("limit_refusals_total", exceeded.counter.rule.name, exceeded.why.value)
                raise refused(exceeded, counters.now()) from None
    if hold is None:
        return
    watched = None
    if aside is not None and book.meters:
        watched = Watched(hold, book, who.provider, facts.body_bytes, counters.was_usual)
    request.limited = Limited(hold, watched, book)


def pass_over(facts: Facts, exceeded: Exceeded) -> bool:
    """Where a provider has no room, the route's next one is tried."""
    targets = facts.plan.targets
    if exceeded.counter.rule.scope is not Scope.PROVIDER or len(targets) < 2:
        return False
    passed = f"{targets[0].provider.name}: {full(exceeded)}"
    facts.plan = replace(facts.plan, targets=targets[1:], left_out=(*facts.plan.left_out, passed))
    facts.treatments.pop(0)
    return True


def who_of(request: GatewayRequest, facts: Facts, book: Rulebook, target: Target | None = None) -> Who:
    """With the first of the plan's targets, where none is named."""
    caller = facts.caller
    target = target or (facts.plan.targets[0] if facts.plan.targets else None)
    return Who(
        team=(caller.team if caller is not None else "") or request.label,
        member=book.members.get(caller.name, "") if caller is not None else "",
        key=caller.name if caller is not None else "",
        session=facts.conversation(request)[:LONGEST_SESSION],
        model=(target.model if target is not None else None) or facts.envelope.model or "",
        provider=target.provider.name if target is not None else "",
        address=request.client_address,
    )


def asks_a_model(request: GatewayRequest, facts: Facts) -> bool:
    return request.method == "POST" and facts.envelope.model is not None and request.path not in NO_ANSWER_OF_A_MODEL


def aside_of(request: GatewayRequest, facts: Facts, book: Rulebook, who: Who) -> Amount:
    usual = request.runtime.counters.usual.get(who.model)
    rates = rates_of(book, who.model, who.provider, facts.body_bytes // 4) if book.prices is not None else None
    return put_aside(facts.body_bytes, facts.envelope.max_tokens, usual, rates)


def refused(exceeded: Exceeded, now: float) -> Refusal:
    """A budget that is spent is final until its window ends; everything else is worth another try."""
    counter, measure = exceeded.counter, exceeded.measure
    whose = f" of {counter.rule.scope.value} {counter.subject}" if counter.subject else ""
    wait = max(1, math.ceil(exceeded.wait))
    retry = ((b"retry-after", b"%d" % wait),)
    if exceeded.why is Why.SPENT:
        standing = next(each for each in counter.standings() if each.measure is measure)
        return Refusal(ErrorKind.BILLING, refusal_sentence(standing), tuple(refusal_headers(standing, now)))
    if exceeded.why is Why.UNKNOWN:
        return Refusal(
            ErrorKind.UNAVAILABLE,
            f"The standing of {counter.rule.name}{whose} is not known at the moment, and it is set to refuse then. "
            "Try again soon.",
            retry,
        )
    if exceeded.why is Why.BUSY:
        return Refusal(
            ErrorKind.RATE_LIMIT,
            f"What is left of the budget {counter.rule.name}{whose} is put aside for requests under way. "
            f"Try again in {wait} s.",
            retry,
        )
    return Refusal(ErrorKind.RATE_LIMIT, f"{full(exceeded)}{whose}. Try again in {wait} s.", retry)


def full(exceeded: Exceeded) -> str:
    pool, rule = exceeded.counter.pools[exceeded.measure], exceeded.counter.rule
    bound = pool.capacity
    if exceeded.measure is Measure.PER_SECOND:
        bound = pool.leak
    elif exceeded.measure is Measure.PER_MINUTE:
        bound = pool.leak * 60
    return f"The limit {rule.name} allows {bound:g} {exceeded.measure.value}"
