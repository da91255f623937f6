"""What a `web` process tells the live pages: which requests have begun, how far they are, how they ended.

Nothing is done while nobody looks: a request then costs one look at a flag. While somebody does, all streams are looked
at every 150 ms, and each is watched as it goes by. Fields of an event: `id`, `at` (unix seconds of its beginning),
`team`, `key`, `model` (asked for), `to` (asked of the provider), `provider`, `path`, `session`, `agent`, `client`;
`status`, `doing` (what `LiveWatch` says), `bytes`, `tokens` (an estimate); at the end `outcome`, `error`, `ms`. No
event holds anything that was said.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING

import structlog

from gateway.api.live_teller import LiveTeller
from gateway.api.live_watch import LiveWatch
from gateway.metrics.live_channel import ASKED_SECONDS, BEAT_SECONDS, HELLO, Event, notices

if TYPE_CHECKING:
    from gateway.api.facts import Facts
    from gateway.api.request import GatewayRequest
    from gateway.api.runtime import Runtime
    from gateway.api.streaming import ExchangeStream
    from gateway.dialects.names import Outcome
    from gateway.recording.recorder import Exchange

SWEEP_SECONDS = 0.15
"""How often it is looked for what has begun, ended, or does something else now."""
UPDATE_SECONDS = 1.5
"""How often all streams are looked at for how far they are."""
LONGEST_TEXT = 120
NOT_COUNTED = "capture_none"
"""Of requests that are to be counted only nothing is told, either."""

log = structlog.get_logger(__name__)


class LiveNews:
    """One for each process; on its event loop but for `asked`."""

    def __init__(self, runtime: Runtime) -> None:
        self.watched = False
        """Somebody looks."""
        self.process = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._runtime = runtime
        self._until = 0.0
        self._everything = False
        self._number = 0
        self._told_at = 0.0
        self._updated_at = 0.0
        self._over: list[Event] = []
        self._moved: list[LiveWatch] = []
        """Those that do something else now."""
        self._teller: LiveTeller | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        self._loop = None
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def asked(self, payload: str) -> None:
        """Somebody asks; from the thread that listens."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closing
                loop.call_soon_threadsafe(self._begin, payload == HELLO)

    def over(self, stream: ExchangeStream) -> None:
        """A stream has ended; only while somebody looks. Does not raise."""
        watch, exchange, facts = stream.live, stream.exchange, stream.request.facts
        try:
            if exchange.lost != NOT_COUNTED and facts is not None:
                begun = {} if watch is not None and watch.told else described(stream.request, facts, exchange)
                event = begun | ended(exchange, stream.outcome or "", stream.problem) | progress(stream, watch)
                self._over.append(event | {"k": "e", "id": exchange.id_text})
        except Exception:  # what is shown of a request must not cost its record
            log.exception("an end is not told to the live pages")
        if watch is not None:
            watch.stream = stream.live = None  # they would hold each other

    def answered_here(
        self, request: GatewayRequest, facts: Facts, exchange: Exchange, status: int, outcome: Outcome, error: str
    ) -> None:
        """A request that no provider saw; only while somebody looks. Does not raise."""
        try:
            if exchange.lost != NOT_COUNTED:
                event = described(request, facts, exchange) | ended(exchange, outcome, error)
                self._over.append(event | {"k": "e", "id": exchange.id_text, "status": status})
        except Exception:
            log.exception("an answer is not told to the live pages")

    def _begin(self, everything: bool) -> None:
        self._until = time.monotonic() + ASKED_SECONDS
        self._everything = self._everything or everything
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        self.watched = True
        self._teller = LiveTeller()
        self._teller.start()
        try:
            while time.monotonic() < self._until:
                self._sweep()
                await asyncio.sleep(SWEEP_SECONDS)
        except Exception:
            log.exception("the live pages are told nothing")
        finally:
            self._end()

    def _end(self) -> None:
        self.watched = False
        self._task = None
        self._over.clear()
        self._moved.clear()
        for stream in self._runtime.streams:
            watch, stream.live = stream.live, None
            if watch is not None:
                watch.stream = None
                stream.watches = tuple(other for other in stream.watches if other is not watch)
        if self._teller is not None:
            self._teller.stop()

    def _sweep(self) -> None:
        everything, self._everything = self._everything, False
        now = time.monotonic()
        events = [event for stream in self._to_look_at(everything, now) if (event := self._look(stream, everything))]
        over, self._over = self._over, []
        events += over
        if events or everything or now - self._told_at >= BEAT_SECONDS:
            self._tell(events, everything, now)

    def _to_look_at(self, everything: bool, now: float) -> list[ExchangeStream]:
        moved, streams = {id(watch.stream): watch.stream for watch in self._moved}, self._runtime.streams
        self._moved.clear()
        if everything or now - self._updated_at >= UPDATE_SECONDS:
            self._updated_at = now
            return list(streams)
        new = [stream for stream in streams if stream.live is None]
        return [*new, *(stream for stream in moved.values() if stream is not None)]

    def _look(self, stream: ExchangeStream, everything: bool) -> Event | None:
        exchange, facts = stream.exchange, stream.request.facts
        if exchange.lost == NOT_COUNTED or facts is None or stream.outcome is not None:
            return None
        watch = stream.live
        if watch is None:
            watch = stream.live = LiveWatch(stream, self._moved)
            watch.size = exchange.received
            stream.watches = (*stream.watches, watch)
        watch.status = stream.status
        is_new = everything or not watch.told
        if not is_new and not watch.has_news:
            return None
        watch.note_told()
        begun = described(stream.request, facts, exchange) if is_new else {}
        return begun | progress(stream, watch) | {"k": "s" if is_new else "u", "id": watch.id_text}

    def _tell(self, events: list[Event], everything: bool, now: float) -> None:
        assert self._teller is not None
        self._told_at = now
        for notice in notices(self.process, self._number, events, everything=everything):
            self._number += 1  # counted also when it cannot be sent: the listener is to miss it
            self._teller.tell(notice)


def described(request: GatewayRequest, facts: Facts, exchange: Exchange) -> Event:
    caller, plan = facts.caller, facts.plan
    target = plan.targets[0] if plan.targets else None
    told = {
        "at": round(time.time() - exchange.elapsed_us() / 1e6, 3),
        "team": (caller.team if caller else "") or request.label,
        "key": caller.name if caller else "",
        "model": facts.envelope.model or "",
        "to": (target.model if target else None) or "",
        "provider": target.provider.name if target else "",
        "path": request.path,
        "session": facts.conversation(request),
        "agent": facts.agent(request),
        "client": (request.header(b"user-agent") or b"").decode("latin-1").partition(" ")[0],
        "purpose": facts.errand.purpose if facts.errand else "",
    }
    return {name: value[:LONGEST_TEXT] if isinstance(value, str) else value for name, value in told.items() if value}


def progress(stream: ExchangeStream, watch: LiveWatch | None) -> Event:
    told: Event = {"bytes": stream.exchange.received}
    if stream.status is not None:
        told["status"] = stream.status
    if watch is not None:
        told |= {"doing": watch.activity, "tokens": watch.tokens}
    return told


def ended(exchange: Exchange, outcome: str, problem: str | None) -> Event:
    told: Event = {"outcome": str(outcome), "ms": exchange.elapsed_us() // 1000}
    return told | {"error": problem[:LONGEST_TEXT]} if problem else told
