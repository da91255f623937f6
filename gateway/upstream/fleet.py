"""What one process knows of its providers while it runs: breakers, credentials, places, budgets, figures.

Everything here is decided at once and in memory; the rules come with each request from the snapshot. What is to be
shared with other processes or kept is handed to `tell`, which must not wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.policy.breaker import Breaker, BreakerState, Pass, Transition
from gateway.policy.credential_choice import CredentialChoice, CredentialEntry
from gateway.policy.retries import RetryBudget
from gateway.policy.snapshot import BreakerHeld, ProviderEntry, Snapshot
from gateway.policy.waiting import Entry, WaitingRoom
from gateway.upstream.figures import Figures, Key


class BreakerMoved(NamedTuple):
    """`at` in Unix seconds."""

    provider: str
    model: str
    transition: Transition


class CredentialLimited(NamedTuple):
    """It rests until `until`, Unix seconds."""

    provider: str
    credential: str
    until: float


class CredentialRejected(NamedTuple):
    """The provider does not take it."""

    provider: str
    credential: str
    status: int


News = BreakerMoved | CredentialLimited | CredentialRejected
MOST_BREAKERS = 2_000


class NoPlace(Exception):
    """Every place is taken; `waited` is None when the queue was full at once, else the seconds waited in vain."""

    def __init__(self, waited: float | None) -> None:
        super().__init__()
        self.waited = waited


class Fleet:
    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.figures = Figures()
        self.tell: Callable[[News], None] = lambda news: None
        self.now = clock
        self.down: dict[str, str] = {}
        """Providers whose health check fails, and how."""
        self._breakers: dict[Key, Breaker] = {}
        self._holds: tuple[BreakerHeld, ...] = ()
        self._obeyed: Snapshot | None = None
        self._choices: dict[str, CredentialChoice] = {}
        self._rooms: dict[str, Room] = {}
        self._budgets: dict[str, RetryBudget] = {}

    def breaker(self, provider: ProviderEntry, model: str) -> Breaker:
        key = (provider.name, model)
        found = self._breakers.get(key)
        if found is None:
            self._make_room()
            found = self._breakers[key] = Breaker(provider.breaker, lambda moved: self.tell(BreakerMoved(*key, moved)))
            self._hold(key, found)
        elif found.rules is not provider.breaker:
            found.rules = provider.breaker
        return found

    def _make_room(self) -> None:
        """Models are named by callers: of too many breakers those go that have nothing to say, the oldest first."""
        if len(self._breakers) < MOST_BREAKERS:
            return
        idle = [key for key, one in self._breakers.items() if one.state is BreakerState.CLOSED and one.held is None]
        for key in idle[: MOST_BREAKERS // 2]:
            del self._breakers[key]

    def obey(self, snapshot: Snapshot) -> None:
        """Follow a new configuration: hold what people hold, and take credentials as new that were changed or
        unblocked."""
        before, self._obeyed = self._obeyed, snapshot
        if before is None or before.holds != snapshot.holds:
            self._holds = snapshot.holds
            for key, breaker in self._breakers.items():
                self._hold(key, breaker)
        for provider in snapshot.providers.values() if before is not None else ():
            former = before.providers.get(provider.name) if before is not None else None
            if former is not None and former.credentials != provider.credentials:
                self._renew(provider, {entry.name: entry for entry in former.credentials})

    def _renew(self, provider: ProviderEntry, former: dict[str, CredentialEntry]) -> None:
        for entry in provider.credentials:
            known = former.get(entry.name)
            if known is not None and (known.secret != entry.secret or known.blocked_until > entry.blocked_until):
                self.choice(provider.name).forget(entry.name)

    def adopt(self, news: News) -> None:
        """What another process found out."""
        tell, self.tell = self.tell, lambda news: None
        try:
            if isinstance(news, BreakerMoved):
                self._adopt_breaker(news)
            elif isinstance(news, CredentialLimited):
                health = self.choice(news.provider).health(news.credential)
                health.resting_until = max(health.resting_until, news.until)
            else:
                self.choice(news.provider).refused(news.credential, 401)
        finally:
            self.tell = tell

    def _adopt_breaker(self, news: BreakerMoved) -> None:
        provider = self._obeyed.providers.get(news.provider) if self._obeyed is not None else None
        if provider is None or news.transition.after is BreakerState.HALF_OPEN:
            return
        opened = news.transition.at if news.transition.after is BreakerState.OPEN else None
        self.breaker(provider, news.model).adopt(self.now(), opened, f"another process: {news.transition.reason}")

    def describe(self) -> dict[str, Any]:
        """For people: breakers, credentials, queues, and who is down."""
        now = self.now()
        return {
            "breakers": [
                {
                    "provider": key[0],
                    "model": key[1],
                    "state": breaker.state.value,
                    "held": breaker.held,
                    "failures_in_a_row": breaker.consecutive,
                }
                for key, breaker in self._breakers.items()
            ],
            "credentials": [
                {
                    "provider": provider,
                    "name": name,
                    "in_flight": health.in_flight,
                    "rests_seconds": max(0, round(health.resting_until - now)),
                    "rejected": health.rejected,
                    "limited": health.limited,
                }
                for provider, choice in self._choices.items()
                for name, health in choice.known()
            ],
            "queues": [
                {
                    "provider": name,
                    "running": room.places.running,
                    "waiting": room.places.waiting,
                    "places": room.places.rules.places,
                    "size": room.places.rules.size,
                }
                for name, room in self._rooms.items()
            ],
            "down": dict(self.down),
        }

    def _hold(self, key: Key, breaker: Breaker) -> None:
        held = next((h for h in self._holds if h.provider == key[0] and h.model in ("", key[1])), None)
        if held is None:
            if breaker.held is not None:
                breaker.reset(self.now(), "let go")
        elif held.is_open:
            breaker.hold_open(self.now(), held.reason)
        else:
            breaker.hold_closed(self.now(), held.reason)

    def choice(self, provider: str) -> CredentialChoice:
        found = self._choices.get(provider)
        if found is None:
            found = self._choices[provider] = CredentialChoice()
        return found

    def budget(self, provider: str) -> RetryBudget:
        found = self._budgets.get(provider)
        if found is None:
            found = self._budgets[provider] = RetryBudget()
        return found

    def room(self, provider: ProviderEntry) -> Room | None:
        """None: any number of requests at once."""
        if provider.queue is None:
            return None
        found = self._rooms.get(provider.name)
        if found is None:
            found = self._rooms[provider.name] = Room(WaitingRoom(provider.queue))
        elif found.places.rules is not provider.queue:
            found.wake(found.places.resize(provider.queue))
        return found


class Room:
    """The places of one provider, and those who wait for one."""

    def __init__(self, places: WaitingRoom) -> None:
        self.places = places
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._number = 0

    async def enter(self, key: str, priority: int, *, is_long: bool) -> float | None:
        """Wait for a place; raises NoPlace. Whoever comes in must `leave`. Returns the seconds waited, None when there
        was a place at once."""
        self._number += 1
        number = self._number
        entered = self.places.enter(number, key, priority, is_long=is_long)
        if entered is Entry.FULL:
            raise NoPlace(None)
        if entered is not Entry.WAITING:
            return None
        began = time.monotonic()
        await self._wait(number, is_long)
        return time.monotonic() - began

    def leave(self, *, is_long: bool) -> None:
        self.wake(self.places.leave(is_long=is_long))

    def wake(self, numbers: list[int]) -> None:
        for number in numbers:
            waiter = self._waiting.pop(number, None)
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    async def _wait(self, number: int, is_long: bool) -> None:
        waiter = self._waiting[number] = asyncio.get_running_loop().create_future()
        longest = self.places.rules.longest_wait
        try:
            async with asyncio.timeout(longest):
                await asyncio.shield(waiter)
        except BaseException as error:
            if waiter.done():
                # The place came in the same moment: it is ours, and must be given to the next.
                self.leave(is_long=is_long)
            else:
                del self._waiting[number]
                self.places.give_up(number, is_long=is_long)
            if isinstance(error, TimeoutError):
                raise NoPlace(longest) from None
            raise


@dataclass(slots=True)
class Lease:
    """What one try holds of its provider, given back once however it ends."""

    fleet: Fleet
    provider: ProviderEntry
    key: Key
    breaker: Breaker
    passed: Pass
    room: Room | None = None
    is_long: bool = False
    credential: str = ""
    began: float = 0.0
    _reported: bool = False
    _released: bool = False

    def answered(self, status: int) -> None:
        """The head came: only 5xx count against the provider."""
        now = self.fleet.now()
        self.fleet.figures.answered(self.key, now - self.began)
        if status >= 500:
            self.failed(f"status {status}")
        else:
            self._reported = True
            self.breaker.succeeded(now, self.passed)

    def failed(self, reason: str) -> None:
        """A timeout, a broken connection, a 5xx; within an answer too."""
        passed = Pass.THROUGH if self._reported and self.passed is Pass.PROBE else self.passed
        self._reported = True
        self.breaker.failed(self.fleet.now(), passed, reason)

    def release(self) -> None:
        if self._released:
            return
        self._released = True
        self.fleet.figures.ended(self.key)
        if not self._reported:
            self.breaker.abandoned(self.passed)
        if self.credential:
            self.fleet.choice(self.provider.name).give_back(self.credential)
        if self.room is not None:
            self.room.leave(is_long=self.is_long)
