"""What a `web` process tells the live pages: which requests have begun, how far they are, how they ended.

Nothing is done while nobody looks: a request then costs one look at a flag. While somebody does, it is looked every
200 ms for what has begun or ended, and what answers do is read out of the record on its way to the writer, of all at
once: to look at each chunk as it goes by costs a twentieth of relaying it. Fields of an event: `id`, `at` (unix seconds
of its beginning), `team`, `key`, `model` (asked for), `to` (asked of the provider), `provider`, `path`, `session`,
`agent`, `client`; `status`, `doing` (what `LiveWatch` says), `bytes`, `tokens` (an estimate); at the end `outcome`,
`error`, `ms`. No event holds anything that was said.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog

from gateway.api.live_teller import LiveTeller
from gateway.api.live_watch import LiveWatch, news_of
from gateway.metrics.live_channel import ASKED_SECONDS, BEAT_SECONDS, HELLO, Event, notices

if TYPE_CHECKING:
    from gateway.api.facts import Facts
    from gateway.api.request import GatewayRequest
    from gateway.api.runtime import Runtime
    from gateway.api.streaming import ExchangeStream
    from gateway.dialects.names import Outcome
    from gateway.recording.delta import Delta
    from gateway.recording.exchange import Exchange

SWEEP_SECONDS = 0.2
"""How often it is looked for what has begun, ended, or does something else now."""
UPDATE_SECONDS = 2.0
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
        self._streams: dict[object, ExchangeStream] = {}
        """Those that are watched, by their exchanges."""
        self._moved: set[ExchangeStream] = set()
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
        self._streams.pop(exchange, None)
        self._moved.discard(stream)
        try:
            if exchange.lost != NOT_COUNTED and facts is not None:
                event: Event = {"k": "e", "id": stream.request.id_text}
                if watch is None or not watch.told:
                    event |= described(stream.request, facts, exchange)
                event |= ended(exchange, stream.outcome or "", stream.problem)
                self._over.append(event | progress(stream, watch))
        except Exception:  # what is shown of a request must not cost its record
            log.exception("an end is not told to the live pages")

    def recorded(self, deltas: Sequence[Delta]) -> None:
        """What became known of exchanges, on its way to the writer; only while somebody looks. Does not raise."""
        try:
            for exchange, chunk in news_of(deltas):
                stream = self._streams.get(exchange)
                if stream is None or stream.live is None:
                    continue
                if chunk is None or stream.live.see_start(chunk):
                    self._moved.add(stream)
        except Exception:
            log.exception("what answers do is not told to the live pages")

    def answered_here(
        self, request: GatewayRequest, facts: Facts, exchange: Exchange, status: int, outcome: Outcome, error: str
    ) -> None:
        """A request that no provider saw; only while somebody looks. Does not raise."""
        try:
            if exchange.lost != NOT_COUNTED:
                event = described(request, facts, exchange) | ended(exchange, outcome, error)
                self._over.append(event | {"k": "e", "id": request.id_text, "status": status})
        except Exception:
            log.exception("an answer is not told to the live pages")

    def _begin(self, everything: bool) -> None:
        self._until = time.monotonic() + ASKED_SECONDS
        self._everything = self._everything or everything
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        self.watched = True
        self._runtime.recorder.watcher = self.recorded
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
        self._runtime.recorder.watcher = None
        self._task = None
        self._over.clear()
        self._moved.clear()
        self._streams.clear()
        for stream in self._runtime.streams:
            watch, stream.live = stream.live, None
            if watch is not None:
                watch.leave(stream)
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
        if self._teller is not None:
            self._teller.send()

    def _to_look_at(self, everything: bool, now: float) -> list[ExchangeStream]:
        moved, self._moved = self._moved, set()
        if everything or now - self._updated_at >= UPDATE_SECONDS:
            self._updated_at = now
            return list(self._runtime.streams)
        return [*(stream for stream in self._runtime.streams if stream.live is None), *moved]

    def _look(self, stream: ExchangeStream, everything: bool) -> Event | None:
        if stream.outcome is not None:
            return None
        watch = stream.live or self._watch(stream)
        if watch is None:
            return None
        watch.follow(stream)
        if everything:
            watch.tell_all()
        if watch.told:
            moved = watch.progress(stream)
            return {"k": "u", "id": watch.id_text} | moved if moved else None
        watch.told = True
        request, facts = stream.request, stream.request.facts
        assert facts is not None
        return {"k": "s", "id": watch.id_text} | described(request, facts, stream.exchange) | watch.progress(stream)

    def _watch(self, stream: ExchangeStream) -> LiveWatch | None:
        """None: nothing is to be told of it, or not yet."""
        if stream.exchange.lost == NOT_COUNTED or stream.request.facts is None:
            return None
        watch = stream.live = LiveWatch(stream.request.id_text)
        self._streams[stream.exchange] = stream
        return watch

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
    """How far it came."""
    if watch is not None:
        return watch.progress(stream)
    told: Event = {"bytes": stream.exchange.received}
    return told if stream.status is None else told | {"status": stream.status}


def ended(exchange: Exchange, outcome: str, problem: str | None) -> Event:
    told: Event = {"outcome": str(outcome), "ms": exchange.elapsed_us() // 1000}
    return told | {"error": problem[:LONGEST_TEXT]} if problem else told
