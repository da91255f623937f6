"""Giving an answer again that was given before, to the same caller for the same bytes; off until a rule says so.

Answers of a provider that were relayed whole are kept; translated and demoted ones are not. A hit is recorded as one,
costs nothing and is counted by no limit or budget.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from gateway.api.limiting import asks_a_model
from gateway.api.replies import RelayedReply, Reply
from gateway.api.streaming import ExchangeStream
from gateway.dialects.names import Outcome
from gateway.policy.budgets import PREFIX
from gateway.policy.caching import CACHE, CacheQuestion, caller_of, digest
from gateway.policy.caching_rules import CacheRule, Caching
from gateway.recording.answer_store import KeptAnswer

if TYPE_CHECKING:
    from gateway.api.facts import Facts
    from gateway.api.request import GatewayRequest
    from gateway.api.runtime import Runtime

BYPASS, REFRESH = b"bypass", b"refresh"
"""Values of that header in a request: neither ask nor keep; do not ask, but keep."""
HIT, JOINED = b"hit", b"joined"
CACHED = "cached: "
NOT_KEPT = frozenset({b"set-cookie", b"date", b"age", b"content-length", b"transfer-encoding"})
LONGEST_WAIT = 600.0

Answering = Callable[[], Awaitable[Reply]]


class Filling:
    """An answer on its way, to be kept if it comes whole. `close` is called once, however it ends."""

    __slots__ = ("_chunks", "_digest", "_facts", "_pairs", "_rule", "_runtime", "_size", "_status", "_waiting")

    def __init__(
        self,
        runtime: Runtime,
        rule: CacheRule,
        key: bytes,
        facts: tuple[str, str, str],
        waiting: asyncio.Future[KeptAnswer | None] | None,
    ) -> None:
        self._runtime = runtime
        self._rule = rule
        self._digest = key
        self._facts = facts
        self._waiting = waiting
        self._chunks: list[bytes] = []
        self._pairs: list[tuple[bytes, bytes]] = []
        self._status = 0
        self._size = 0

    def begin(self, reply: Reply, stream: ExchangeStream) -> None:
        """The answer's head is known."""
        if reply.status_code == 200 and isinstance(reply, RelayedReply) and reply.stream is stream:
            self._status = reply.status_code
            self._pairs = [
                pair
                for pair in reply.pairs
                if pair[0].lower() not in NOT_KEPT and not pair[0].lower().startswith(PREFIX)
            ]
            stream.watches = (*stream.watches, self)

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= self._rule.max_bytes:
            self._chunks.append(chunk)

    def give_up(self) -> None:
        """It was not seen whole: nothing is kept."""
        self._status = 0
        self._chunks.clear()

    def close(self, outcome: Outcome | None) -> None:
        answer = self._answer() if self._status and outcome is Outcome.COMPLETED else None
        if answer is not None and self._rule.keeps:
            self._runtime.answers.keep(self._digest, answer, in_redis=self._rule.in_redis)
        if self._waiting is not None:
            self._runtime.joining.pop(self._digest, None)
            if not self._waiting.done():
                self._waiting.set_result(answer)

    def _answer(self) -> KeptAnswer | None:
        if self._size > self._rule.max_bytes:
            return None
        now = time.time()
        model, key, team = self._facts
        body = b"".join(self._chunks)
        return KeptAnswer(self._status, self._pairs, body, now, now + self._rule.seconds, model, key, team)


async def look_up(request: GatewayRequest, facts: Facts, caching: Caching) -> tuple[str, Answering] | None:
    """What answers instead of a provider, and what the record says of it; None: a provider has to, and what it says is
    kept where the rules want it."""
    target, caller = facts.plan.targets[0], facts.caller
    wish = request.header(CACHE) or b""
    if not asks_a_model(request, facts) or wish == BYPASS or target.speaks is not None:
        return None
    model = target.model or facts.envelope.model or ""
    named = (
        model,
        caller.name if caller is not None else "",
        (caller.team if caller is not None else "") or request.label,
    )
    rule = caching.rule(*named)
    key = digest_of(request, facts, rule, caching.mark) if rule is not None else None
    if rule is None or key is None:
        return None
    runtime = request.runtime
    runtime.answers.max_bytes = caching.max_bytes
    if wish != REFRESH:
        found = await find(runtime, rule, key, caching)
        if found is not None:
            return CACHED + rule.name, again(found, HIT)
        found = await join(runtime, key) if rule.joins else None
        if found is not None:
            return CACHED + f"{rule.name}, with another", again(found, JOINED)
    waiting: asyncio.Future[KeptAnswer | None] | None = None
    if rule.joins and key not in runtime.joining:
        waiting = runtime.joining[key] = asyncio.get_running_loop().create_future()
    if rule.keeps or waiting is not None:
        request.filling = Filling(runtime, rule, key, named, waiting)
    return None


def digest_of(request: GatewayRequest, facts: Facts, rule: CacheRule, mark: str) -> bytes | None:
    caller = caller_of(facts.admitted, facts.presented)
    if caller is None or facts.plain is None:
        return None
    targets = [f"{target.provider.name} {target.provider.address} {target.model}" for target in facts.plan.targets]
    question = CacheQuestion(
        caller,
        request.dialect.value,
        request.method,
        request.target,
        request.pairs,
        facts.plain,
        (mark, *targets),
    )
    return digest(question, rule)


async def find(runtime: Runtime, rule: CacheRule, key: bytes, caching: Caching) -> KeptAnswer | None:
    now = time.time()
    found = runtime.answers.find(key, now)
    if found is None and rule.in_redis:
        found = await runtime.answers.find_shared(key, now)
    if found is None or caching.is_cleared(found.made, found.model, found.key, found.team):
        return None
    return found


async def join(runtime: Runtime, key: bytes) -> KeptAnswer | None:
    """The answer that is on its way to somebody who asked the same, once it is whole; None: there is none."""
    waiting = runtime.joining.get(key)
    if waiting is None:
        return None
    try:
        return await asyncio.wait_for(asyncio.shield(waiting), LONGEST_WAIT)
    except TimeoutError:
        return None


def again(found: KeptAnswer, how: bytes) -> Answering:
    """As its provider sent it: a stream as a stream, without a length."""

    async def answering() -> Reply:
        age = b"%d" % max(0, int(time.time() - found.made))
        pairs = [*found.pairs, (b"age", age), (CACHE, how)]
        if not any(name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in pairs):
            pairs.append((b"content-length", b"%d" % len(found.body)))
        return Reply(found.status, pairs, found.body)

    return answering
