"""One counter with a capacity: what is used, what is held for requests under way, what is left. The clock is given.

Alone, a process knows everything and may give out what is left. With others it gives out of its *share*, which it was
granted, and every grant was taken from the whole: whatever the others do meanwhile, all of them together stay within
the capacity, but for one request of each process (`_fits`). What is used is told, and the next share asked for, in the
background (`told`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Share:
    """`granted`: for what was used since it was granted (`untold`) and is held. `rest`: what was nobody's then."""

    granted: float = 0.0
    rest: float = 0.0
    until: float = 0.0
    """From then on the grant may have been given to somebody else."""
    total: float = 0.0
    """All this process ever used; `told`: as far as the others know. A total told twice is counted once."""
    told: float = 0.0
    asked: bool = False
    """The next one was asked for, and nothing was heard yet: what could be given up was given up then."""
    epoch: str = ""
    """Which life of the common counter it was told to."""

    @property
    def untold(self) -> float:
        return self.total - self.told

    def lapse(self, held: float) -> None:
        """It is too old to be gone by: only what is under way is covered by it."""
        self.granted = min(self.granted, self.untold + held)


@dataclass(slots=True)
class Pool:
    """`leak` is what is forgotten of the used amount in a second: 0 for what lasts as long as its window. `unit` is the
    amount that is taken whole or not at all: 1 for requests; 0 for tokens and money, of which anything left will do."""

    capacity: float
    leak: float = 0.0
    unit: float = 0.0
    used: float = 0.0
    """By all processes, as far as this one knows."""
    held: float = 0.0
    """By requests of this process under way."""
    at: float = 0.0
    """Until when `used` was leaked."""
    share: Share | None = None
    """None: there is nobody to share with."""

    def tick(self, now: float) -> None:
        if self.leak and now > self.at:
            self.used = max(0.0, self.used - self.leak * (now - self.at))
        self.at = max(self.at, now)

    def fits(self, now: float, *, alone: bool = False) -> bool:
        """Whether one more request may begin. `alone`: by what is known here, whatever was granted."""
        self.tick(now)
        if self.share is None or alone:
            return _fits(self.capacity - self.used - self.held, self.unit)
        room = self.share.granted - self.share.untold - self.held
        # On credit: nothing is granted and something is left. It goes once below what was granted, and not again.
        return _fits(room, self.unit) or (room >= 0 and _fits(self.share.rest, self.unit))

    @property
    def is_used_up(self) -> bool:
        """By what has been settled: waiting for requests under way will not help."""
        return not _fits(self.capacity - self.used, self.unit)

    def take(self, amount: float) -> None:
        self.used += amount
        if self.share is not None:
            self.share.total += amount

    def hold(self, amount: float) -> None:
        self.held += amount

    def settle(self, held: float, amount: float) -> None:
        """What was held is given back, and what it came to is used."""
        self.held = max(0.0, self.held - held)
        self.take(amount)

    def wait(self) -> float:
        """Seconds until there is room again, by leaking alone; 0.0 for what does not leak."""
        missing = self.used + self.held + max(self.unit, 1e-9) - self.capacity
        return max(0.0, missing / self.leak) if self.leak else 0.0

    def learn(self, used: float) -> None:
        """Somebody who keeps books has at least this."""
        self.used = max(self.used, used)

    def commit(self) -> float:
        """What this process keeps of its share while the next one is asked for: what it holds, and half of the room
        beside. The rest it gives up now, because somebody else may have it before the answer is here."""
        assert self.share is not None
        room = max(0.0, self.share.granted - self.share.untold - self.held)
        if not self.share.asked:
            self.share.asked = True
            room = room / 2 // self.unit * self.unit if self.unit else room / 2
        self.share.granted = min(self.share.granted, self.share.untold + self.held + room)
        return self.held + room

    def told(self, total: float, used: float, share: Share) -> None:
        """The answer to a telling of `total`: what all have used, and the share that was granted."""
        assert self.share is not None
        self.share.told = total
        self.share.asked = False
        self.used = used + self.share.untold
        self.share.granted, self.share.rest, self.share.until = share.granted, share.rest, share.until
        self.share.epoch = share.epoch


def _fits(left: float, unit: float) -> bool:
    return left >= unit if unit else left > 0.0


def grant(capacity: float, used: float, others: float, kept: float, unit: float, processes: int) -> tuple[float, float]:
    """What a process that has kept `kept` may have, and what is then left to nobody: half of its part of what is free
    comes to it, so that there is always something for whoever comes next. The script in Redis computes the same."""
    free = capacity - used - others
    spare = max(0.0, free - kept) / (2 * processes)
    if unit:
        spare = spare // unit * unit
    granted = min(kept, max(0.0, free)) + spare
    return granted, free - granted
