"""From a plan to an answer: which target is tried, when the next one is, and what is told when none answered.

Everything here happens before the client has seen a byte. Of a target that fails, its other credentials are tried, then
the retries its provider allows, then the next target, when the failure is one that allows it. Each try is an attempt of
the record, with the reason why it was made. The last answer or failure is what the client gets.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from gateway.api.answering import accept, failed, observe_own, outgoing
from gateway.api.header_rules import RulesOnTheWay
from gateway.api.refusals import Refusal, render
from gateway.api.replies import Reply
from gateway.dialects.failures import ErrorKind
from gateway.dialects.names import Outcome
from gateway.dialects.request_facts import Patch
from gateway.policy.access import Replace, Treatment, credential_header
from gateway.policy.breaker import BreakerMode, Pass
from gateway.policy.failure_kinds import allows, kind_of_failure, retry_after
from gateway.policy.retries import pause
from gateway.policy.routing import Target
from gateway.policy.waiting import WhenFull
from gateway.recording.records import Attempt
from gateway.upstream.client import httpx
from gateway.upstream.failures import UpstreamFailure
from gateway.upstream.fleet import CredentialLimited, CredentialRejected, Lease, NoPlace, Room

if TYPE_CHECKING:
    from gateway.api.facts import Bodies, Facts
    from gateway.api.request import GatewayRequest
    from gateway.api.streaming import ExchangeStream

REJECTING = frozenset({401, 403})
PLAN_PHASE = "plan"
"""Of an attempt that sent nothing: it was refused here."""

log = structlog.get_logger(__name__)


class Attempts:
    """Of one request. `run` is called once."""

    def __init__(self, request: GatewayRequest, stream: ExchangeStream, facts: Facts) -> None:
        self.request = request
        self.stream = stream
        self.facts = facts
        self.fleet = request.runtime.fleet
        self.reason: str | None = facts.plan.reason if facts.plan.route else None
        self.has_next = False
        self.patches: list[Patch] = []

    async def run(self, bodies: Bodies) -> Reply:
        targets = self.facts.plan.targets
        try:
            for number, target in enumerate(targets):
                self.has_next = number + 1 < len(targets)
                reply = await self._try_target(target, self.facts.treatments[number], bodies)
                if reply is not None:
                    return reply
        finally:
            for start, end, text in self.patches:
                self.stream.exchange.patch(start, end, text)
        raise AssertionError("the last target always gives a reply")

    async def _try_target(self, target: Target, treatment: Treatment, bodies: Bodies) -> Reply | None:
        """None: the next target is to be tried."""
        try:
            return await _Tries(self, target, treatment, bodies).run()
        except Refusal as refusal:
            self._note_refused(target, refusal)
            if not self.has_next:
                return self._refuse(refusal)
            self.next_reason(f"{target.provider.name} was passed over: {refusal.message}")
            return None

    def _note_refused(self, target: Target, refusal: Refusal) -> None:
        exchange, provider = self.stream.exchange, target.provider
        exchange.attempt(
            Attempt(
                provider.name,
                provider.address,
                exchange.elapsed_us(),
                error=refusal.message,
                phase=PLAN_PHASE,
                model=target.model,
                reason=self.reason,
            )
        )

    def _refuse(self, refusal: Refusal) -> Reply:
        """Nobody is left to ask."""
        exchange = self.stream.exchange
        reply = render(self.request, refusal, exchange.id)
        observe_own(exchange, reply)
        self.stream.conclude(Outcome.DENIED, refusal.message)
        return reply

    def next_reason(self, reason: str) -> None:
        self.reason = reason
        if self.facts.is_debugged:
            log.info("next try", request_id=self.request.id_text, reason=reason)


class _Tries:
    """Of one target."""

    def __init__(self, attempts: Attempts, target: Target, treatment: Treatment, bodies: Bodies) -> None:
        self.attempts = attempts
        self.target = target
        self.provider = target.provider
        self.given = self.treatment = treatment
        self.bodies = bodies
        self.fleet = attempts.fleet
        self.exchange = attempts.stream.exchange
        self.first_us = self.began_us = self.exchange.elapsed_us()
        self.retried = 0
        self.paused = 0.0
        self.spent: set[str] = set()
        """Credentials that did not do."""
        rules = attempts.facts.header_rules
        self.rules = None if rules is None else RulesOnTheWay(attempts.request, attempts.facts, target, rules)

    async def run(self) -> Reply | None:
        retry = self.provider.retry
        if retry is not None:
            self.fleet.budget(self.provider.name).sent(retry.budget)
        while True:
            lease = await self._lease()
            self.attempts.stream.lease = lease
            answer = await self._send(lease)
            kind = kind_of(answer)
            if kind is None:
                return await self._keep(lease, answer)
            if self._has_other_credential(lease, answer):
                self._let_go(lease, answer, f"another credential after {kind}")
            elif await self._pauses(kind):
                self._let_go(lease, answer, f"retry {self.retried} after {kind}")
            elif self.attempts.has_next and allows(self.attempts.facts.plan.fallback_on, kind):
                self._let_go(lease, answer, f"fallback after {kind} from {self.provider.name}")
                return None
            else:
                return await self._keep(lease, answer)

    async def _lease(self) -> Lease:
        """Ask the breaker, wait for a place, take a credential. Raises Refusal when one of them says no."""
        lease = self._ask_breaker()
        try:
            room = self.fleet.room(self.provider)
            if room is not None:
                await self._take_place(lease, room)
            self._take_credential(lease)
        except BaseException:
            lease.release()
            raise
        lease.began = self.fleet.now()
        return lease

    def _ask_breaker(self) -> Lease:
        provider, fleet = self.provider, self.fleet
        key = (provider.name, self.target.model or self.attempts.facts.envelope.model or "")
        breaker = fleet.breaker(provider, key[1])
        mode = provider.breaker.mode
        passed = Pass.REFUSED if mode is BreakerMode.OFF else breaker.ask(fleet.now())
        enforced = mode is BreakerMode.ENFORCE or (
            mode is BreakerMode.AUTO and len(self.attempts.facts.plan.targets) > 1
        )
        if passed is Pass.REFUSED and enforced:
            raise circuit_open(provider.name, key[1], breaker.retry_after(fleet.now()))
        if self.attempts.has_next and provider.name in fleet.down:
            breaker.abandoned(passed)
            raise overloaded(f"The provider {provider.name} is down: {fleet.down[provider.name]}.", 5)
        fleet.figures.began(key)
        return Lease(fleet, provider, key, breaker, passed)

    async def _take_place(self, lease: Lease, room: Room) -> None:
        rules = room.places.rules
        caller = self.attempts.facts.caller
        is_long = len(self.bodies.sent) >= rules.long_bytes
        full = room.places.running >= rules.places
        if full and rules.when_full is WhenFull.SPILL and self.attempts.has_next:
            raise overloaded(f"The provider {self.provider.name} has all its {rules.places} places taken.", 1)
        tallies, name = self.attempts.request.runtime.tallies, self.provider.name
        try:
            waited_seconds = await room.enter(
                caller.name if caller else "", caller.priority if caller else 0, is_long=is_long
            )
            if waited_seconds is not None:
                tallies.observe("queue_wait_seconds", waited_seconds, name)
        except NoPlace as none:
            tallies.add("queue_refusals_total", name, "full" if none.waited is None else "waited")
            waited = "the queue is full" if none.waited is None else f"none became free within {none.waited:g} s"
            places = f"All {rules.places} places of the provider {self.provider.name} are taken, and {waited}."
            raise overloaded(places, 1 if none.waited is None else 5) from None
        lease.room, lease.is_long = room, is_long

    def _take_credential(self, lease: Lease) -> None:
        entries = self.provider.credentials
        if not entries or not isinstance(self.treatment, Replace) or self.treatment.header is None:
            return
        choice, now = self.fleet.choice(self.provider.name), self.fleet.now()
        conversation = self.attempts.facts.conversation(self.attempts.request) if len(entries) > 1 else ""
        chosen = choice.take(entries, now, conversation, self.spent)
        if chosen is None:
            raise no_credential(self.provider.name, choice.wait(entries, now))
        lease.credential = chosen.name
        # Of the first credential the header was made when it was decided what the provider is to see.
        is_first = chosen.secret == self.provider.credential
        self.treatment = self.given if is_first else Replace(credential_header(self.provider.dialect, chosen.secret))

    async def _send(self, lease: Lease) -> httpx.Response | UpstreamFailure:
        self.began_us = self.exchange.elapsed_us()
        try:
            sent = self.sent = outgoing(
                self.attempts.request, self.attempts.facts, self.target, self.treatment, self.bodies
            )
            self.attempts.patches = sent.patches
            response = await self.attempts.request.runtime.upstream.send(
                self.attempts.request.method,
                self.provider.address,
                sent.target,
                sent.headers if self.rules is None else self.rules.there(self.exchange, sent.headers),
                sent.body,
                self.provider.transport,
            )
        except UpstreamFailure as failure:
            lease.failed(failure.reason)
            return failure
        except BaseException:
            lease.release()
            raise
        lease.answered(response.status_code)
        if lease.credential:
            self._judge_credential(lease, response)
        return response

    def _judge_credential(self, lease: Lease, response: httpx.Response) -> None:
        status = response.status_code
        choice, now = self.fleet.choice(self.provider.name), self.fleet.now()
        if status == 429:
            until = choice.limited(lease.credential, now, retry_after(response.headers.raw, now))
            self.fleet.tell(CredentialLimited(self.provider.name, lease.credential, until))
        elif status in REJECTING and len(self.provider.credentials) == 1:
            # Nothing else could be used: the provider's own word is of more use to the client than ours.
            log.warning("credential rejected", provider=self.provider.name, credential=lease.credential, status=status)
        elif status in REJECTING and choice.refused(lease.credential, status):
            self.fleet.tell(CredentialRejected(self.provider.name, lease.credential, status))
        elif status < 400:
            choice.succeeded(lease.credential)

    def _has_other_credential(self, lease: Lease, answer: httpx.Response | UpstreamFailure) -> bool:
        if not lease.credential or isinstance(answer, UpstreamFailure):
            return False
        if answer.status_code != 429 and answer.status_code not in REJECTING:
            return False
        self.spent.add(lease.credential)
        choice, now = self.fleet.choice(self.provider.name), self.fleet.now()
        return any(entry.name not in self.spent and choice.usable(entry, now) for entry in self.provider.credentials)

    async def _pauses(self, kind: str) -> bool:
        """Whether the same is tried once more; waits as long as that takes."""
        rules = self.provider.retry
        if rules is None or self.retried + 1 >= rules.attempts or not allows(rules.on, kind):
            return False
        wait = pause(rules, self.retried + 1, self.paused, self.fleet.figures.chance())
        elapsed = (self.exchange.elapsed_us() - self.first_us) / 1e6
        if elapsed + wait > rules.deadline or not self.fleet.budget(self.provider.name).take():
            return False
        self.retried += 1
        self.paused = wait
        await asyncio.sleep(wait)
        return True

    def _let_go(self, lease: Lease, answer: httpx.Response | UpstreamFailure, reason: str) -> None:
        """Record the try and forget its answer; `reason` is that of the next one."""
        lease.release()
        self.attempts.stream.lease = None
        if isinstance(answer, UpstreamFailure):
            self._record(lease, error=answer.reason, phase=answer.phase)
        else:
            self._record(lease, status=answer.status_code)
            answer.stream.abort()  # type: ignore[union-attr]
        self.attempts.next_reason(reason)

    async def _keep(self, lease: Lease, answer: httpx.Response | UpstreamFailure) -> Reply:
        """What the client gets."""
        if isinstance(answer, UpstreamFailure):
            self._record(lease, error=answer.reason, phase=answer.phase)
            return failed(self.attempts.request, self.attempts.stream, self.provider, self.began_us, answer)
        wire = answer.extensions.get("wire")
        connected = self.began_us + wire.connected_us if wire is not None and wire.connected_us is not None else None
        self._record(lease, connected, answer.status_code)
        self._warn_when_slow()
        reply = await self._accept(answer)
        if self.rules is not None:
            self.rules.back(self.exchange, reply)
        return reply

    async def _accept(self, answer: httpx.Response) -> Reply:
        request, stream = self.attempts.request, self.attempts.stream
        limited = request.limited
        if limited is not None:
            if self.target is not self.attempts.facts.plan.targets[0]:
                limited.moved(request, self.attempts.facts, self.target)
            spoken = self.target.speaks or request.dialect
            watching = limited.answered(answer.status_code, answer.headers.raw, spoken, self.provider.name)
            stream.watches = (*stream.watches, *watching)
        reply = await accept(request, self.attempts.facts, stream, self.sent, answer)
        if request.filling is not None:
            request.filling.begin(reply, stream)
        return reply if limited is None else limited.tell(request.dialect, reply)

    def _record(
        self,
        lease: Lease,
        connected: int | None = None,
        status: int | None = None,
        error: str | None = None,
        phase: str | None = None,
    ) -> None:
        headers = self.exchange.elapsed_us() if status is not None else None
        self.exchange.attempt(
            Attempt(
                self.provider.name,
                self.provider.address,
                self.began_us,
                connected,
                headers,
                status,
                error,
                phase,
                self.target.model,
                lease.credential,
                self.attempts.reason,
            )
        )

    def _warn_when_slow(self) -> None:
        bound = self.provider.slow_seconds
        seconds = (self.exchange.elapsed_us() - self.began_us) / 1e6
        if bound is not None and seconds > bound:
            request_id = self.attempts.request.id_text
            log.warning("slow", request_id=request_id, provider=self.provider.name, seconds=round(seconds, 3))


def kind_of(answer: httpx.Response | UpstreamFailure) -> str | None:
    """Which failure it is: a status in digits, connect, timeout or broken; None: it is none."""
    if isinstance(answer, UpstreamFailure):
        return kind_of_failure(answer.phase, timed_out=isinstance(answer, httpx.TimeoutException))
    return str(answer.status_code) if answer.status_code >= 400 else None


def circuit_open(provider: str, model: str, seconds: float) -> Refusal:
    of = f" for {model}" if model else ""
    return overloaded(
        f"backend_unavailable_circuit_open: the provider {provider} has failed too often{of}; it is tried again in "
        f"{seconds:.0f} s.",
        seconds,
    )


def overloaded(message: str, seconds: float) -> Refusal:
    return Refusal(ErrorKind.OVERLOADED, message, ((b"retry-after", b"%d" % max(1, round(seconds))),))


def no_credential(provider: str, seconds: float | None) -> Refusal:
    if seconds is None:
        return Refusal(
            ErrorKind.UNAVAILABLE,
            f"The provider {provider} has no credential that can be used: all are blocked, or were rejected by it. "
            "Whoever runs this gateway sees which in the admin.",
        )
    wait = max(1, round(seconds))
    message = f"All credentials of the provider {provider} are busy. Try again in {wait} s."
    return Refusal(ErrorKind.RATE_LIMIT, message, ((b"retry-after", b"%d" % wait),))
