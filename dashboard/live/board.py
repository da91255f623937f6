"""What is known of the requests under way and of those that ended a moment ago. No I/O: notices go in, events come out.

Each event gets the next number of this board; whoever has missed some asks for what came after a number, and gets all
that is known when that is too long ago. Of one request later events replace earlier ones field by field.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.metrics.live_channel import BEAT_SECONDS

MOST_ENDED = 500
ENDED_SECONDS = 300.0
MOST_REMEMBERED = 5_000
"""Events that can be asked for again."""
SILENT_SECONDS = 4 * BEAT_SECONDS
LOST = "lost"
"""The outcome of what was under way in a process that is silent, or has forgotten it: its end is in the history."""

Record = dict[str, Any]


class Numbered(NamedTuple):
    number: int
    team: str
    record: Record
    """Whole, as it is after the event. Not to be changed."""


@dataclass
class Teller:
    """A `web` process."""

    number: int
    heard: float
    listed: set[str] | None = None
    """While it tells everything: what it has named so far."""


@dataclass(frozen=True)
class Since:
    """`whole`: everything that is known, and not only what came after the number."""

    boot: str
    number: int
    records: list[Record]
    whole: bool
    tellers: int


@dataclass
class Board:
    boot: str = field(default_factory=lambda: secrets.token_hex(4))
    number: int = 0
    records: OrderedDict[str, Record] = field(default_factory=OrderedDict)
    tellers: dict[str, Teller] = field(default_factory=dict)
    events: list[Numbered] = field(default_factory=list)
    wants_all: bool = False
    """A notice is missing: everything is to be asked for again."""

    def take(self, notice: dict[str, Any], now: float | None = None) -> list[Numbered]:
        """A notice of `gateway/metrics/live_channel.py`; what it changed."""
        now = time.time() if now is None else now
        process, number = notice["p"], notice["n"]
        teller = self.tellers.get(process)
        if teller is None:
            teller = self.tellers[process] = Teller(number - 1, now)
        if number != teller.number + 1:
            self.wants_all = True
        teller.number, teller.heard = number, now
        if notice["f"]:
            teller.listed = set()
        changed = [self._merge(process, event, now) for event in notice["e"]]
        if teller.listed is not None:
            teller.listed.update(event["id"] for event in notice["e"])
        if notice["l"]:
            changed += self._forget_unlisted(process, teller, now)
        return changed

    def tidy(self, now: float | None = None) -> list[Numbered]:
        """Processes that are silent are gone, and what ended long ago is not shown any more."""
        now = time.time() if now is None else now
        changed: list[Numbered] = []
        for process in [name for name, teller in self.tellers.items() if now - teller.heard > SILENT_SECONDS]:
            del self.tellers[process]
            changed += self._lose([one for one in self.records.values() if one["process"] == process], now)
        ended = [name for name, one in self.records.items() if "ended" in one]
        old = [name for name in ended if now - self.records[name]["ended"] > ENDED_SECONDS]
        for name in {*ended[: max(0, len(ended) - MOST_ENDED)], *old}:
            del self.records[name]
        del self.events[: max(0, len(self.events) - MOST_REMEMBERED)]
        return changed

    def since(self, boot: str, number: int, teams: frozenset[str] | None) -> Since:
        """What came after an event, of these teams (None: of all)."""
        oldest = self.events[0].number if self.events else self.number + 1
        if boot != self.boot or number > self.number or number < oldest - 1:
            records = [one for one in self.records.values() if sees(teams, one)]
            return Since(self.boot, self.number, records, whole=True, tellers=len(self.tellers))
        newest: dict[str, Record] = {}
        for event in self.events[-(self.number - number) :] if number < self.number else ():
            if sees(teams, event.record):
                newest[event.record["id"]] = event.record
        return Since(self.boot, self.number, list(newest.values()), whole=False, tellers=len(self.tellers))

    def under_way(self, teams: frozenset[str] | None) -> list[Record]:
        return [one for one in self.records.values() if "ended" not in one and sees(teams, one)]

    def _merge(self, process: str, event: Record, now: float) -> Numbered:
        name = event["id"]
        known = self.records.get(name)
        record = (known or {"team": "", "process": process, "at": now}) | event
        kind = record.pop("k")
        if known is not None and "tokens" in event:
            record["rate"] = rate(known, event, now)
        if known is None or record.get("bytes") != known.get("bytes") or record.get("doing") != known.get("doing"):
            record["moved"] = now
        if kind == "e":
            record["ended"] = now
            self.records.pop(name, None)  # those that ended stand in the order of their ends
        return self._number(record)

    def _forget_unlisted(self, process: str, teller: Teller, now: float) -> list[Numbered]:
        listed, teller.listed = teller.listed or set(), None
        return self._lose(
            [one for one in self.records.values() if one["process"] == process and one["id"] not in listed], now
        )

    def _lose(self, records: Iterable[Record], now: float) -> list[Numbered]:
        lost = [one | {"outcome": LOST, "ended": now} for one in records if "ended" not in one]
        return [self._number(one) for one in lost]

    def _number(self, record: Record) -> Numbered:
        self.number += 1
        record["seq"] = self.number
        self.records[record["id"]] = record
        event = Numbered(self.number, record["team"], record)
        self.events.append(event)
        return event


def sees(teams: frozenset[str] | None, record: Record) -> bool:
    return teams is None or record["team"] in teams


def rate(known: Record, event: Record, now: float) -> float:
    """Tokens a second, about: half of what was, half of what came since the record last moved."""
    passed = max(0.05, now - known.get("moved", now))
    newest = max(0, event["tokens"] - known.get("tokens", 0)) / passed
    return float(round((known.get("rate", newest) + newest) / 2, 1))
