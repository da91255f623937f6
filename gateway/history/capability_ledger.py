"""Keeps book of what each version of each client was seen to use, and gives notice of what is new.

A sighting is written with the turn it was made in, in the same transaction, when it is new to this process or a minute
has passed since it was last written: the times in the table are right to the minute, and nothing is counted.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
import structlog

MOST_REMEMBERED = 50_000
REFUSALS = (400, 404, 422)
"""Statuses with which a provider says that it does not take something."""
UPSERT = """
INSERT INTO gateway_capability AS kept (client, client_version, dialect, kind, name, first_seen, last_seen,
    forwarded_at, accepted_at, refused_at, refusal)
VALUES (%(client)s, %(client_version)s, %(dialect)s, %(kind)s, %(name)s, %(first)s, %(last)s,
    %(forwarded)s, %(accepted)s, %(refused)s, %(refusal)s)
ON CONFLICT (client, client_version, dialect, kind, name) DO UPDATE SET
    first_seen = least(kept.first_seen, EXCLUDED.first_seen),
    last_seen = greatest(kept.last_seen, EXCLUDED.last_seen),
    forwarded_at = greatest(kept.forwarded_at, EXCLUDED.forwarded_at),
    accepted_at = greatest(kept.accepted_at, EXCLUDED.accepted_at),
    refused_at = greatest(kept.refused_at, EXCLUDED.refused_at),
    refusal = CASE WHEN EXCLUDED.refused_at >= coalesce(kept.refused_at, '-infinity') THEN EXCLUDED.refusal
              ELSE kept.refusal END
RETURNING xmax = 0
"""
KNOWN_BEFORE = """
SELECT count(*) FILTER (WHERE kind = %(kind)s AND name = %(name)s), count(*)
FROM gateway_capability WHERE client = %(client)s AND dialect = %(dialect)s AND client_version <> %(client_version)s
"""

LATEST = ("last", "forwarded", "accepted", "refused")
Key = tuple[str, str, str, str, str]
Row = dict[str, Any]
Saying = tuple[Any, ...]

log = structlog.get_logger(__name__)


class Use(NamedTuple):
    """`kind` is one of `Capability.Kind`."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Sightings:
    """What one turn used, and what became of it. `status` is the provider's; None: it was not sent on, or no answer
    came."""

    client: str
    client_version: str
    dialect: str
    seen: datetime.datetime
    uses: frozenset[Use]
    forwarded: bool = False
    status: int | None = None
    error: str = ""

    @property
    def minute(self) -> datetime.datetime:
        return self.seen.replace(second=0, microsecond=0)

    def saying(self) -> Saying:
        """What tells it from other turns, as far as the book is concerned: most of a minute's turns say the same."""
        return (
            self.client, self.client_version, self.dialect, self.minute, self.uses, self.forwarded, self.status,
            self.error,
        )  # fmt: skip

    def rows(self) -> Iterable[Row]:
        minute = self.minute
        for use in sorted(self.uses):
            refused = self.status in REFUSALS and names(self.error, use.name)
            yield {
                "client": self.client,
                "client_version": self.client_version,
                "dialect": self.dialect,
                "kind": use.kind,
                "name": use.name,
                "first": minute,
                "last": minute,
                "forwarded": minute if self.forwarded else None,
                "accepted": minute if self.status is not None and self.status < 400 else None,
                "refused": minute if refused else None,
                "refusal": self.error[:500] if refused else "",
            }


def names(message: str, name: str) -> bool:
    """Whether a provider's words are about it: they name it, or the last part of its path."""
    last = re.split(r"[.\[]", name)[-1].rstrip("]")
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", message) for word in {name, last} if len(word) > 3)


class CapabilityLedger:
    """One loader's. `write` in the transaction of the turns, `settle` once that is committed."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._written: dict[Key, Row] = {}
        self._pending: dict[Key, Row] = {}
        self._new: list[Row] = []
        self._said: set[Saying] = set()
        self._saying: set[Saying] = set()

    def write(self, turns: Sequence[Sightings]) -> None:
        """Raises psycopg.Error."""
        self._pending, self._new = {}, []
        due: dict[Key, Row] = {}
        said = {turn.saying(): turn for turn in turns if turn.saying() not in self._said}
        for row in (row for turn in said.values() for row in turn.rows()):
            key = (row["client"], row["client_version"], row["dialect"], row["kind"], row["name"])
            known = self._pending.get(key) or self._written.get(key)
            if known is None or says_more(row, known):
                self._pending[key] = row if known is None else both(row, known)
                due[key] = self._pending[key]
        self._saying = set(said)
        # In one order everywhere, so that two loaders wait for each other at most, and never in a circle.
        with psycopg.Cursor(self._connection) as cursor:
            for _, row in sorted(due.items(), key=lambda item: item[0]):
                inserted = cursor.execute(UPSERT, row).fetchone()
                if inserted and inserted[0] and is_new(cursor, row):
                    self._new.append(row)

    def settle(self) -> None:
        """What was written is committed: remember it, and tell what nobody had seen before."""
        if len(self._written) > MOST_REMEMBERED:
            self._written.clear()
        self._written |= self._pending
        if len(self._said) > MOST_REMEMBERED:
            self._said.clear()
        self._said |= self._saying
        for row in self._new:
            told = {name: row[name] for name in ("kind", "name", "client", "client_version", "dialect")}
            log.warning("a client uses something new", **told)
        self._pending, self._new, self._saying = {}, [], set()


def is_new(cursor: psycopg.Cursor[Any], row: Row) -> bool:
    """Whether this client was known and never seen with it; of a client that is new altogether everything would be."""
    found = cursor.execute(KNOWN_BEFORE, row).fetchone()
    return found is not None and found[0] == 0 and found[1] > 0


def later(new: Row, old: Row, name: str) -> bool:
    return new[name] is not None and (old[name] is None or new[name] > old[name])


def says_more(row: Row, known: Row) -> bool:
    return row["first"] < known["first"] or any(later(row, known, name) for name in LATEST)


def both(row: Row, known: Row) -> Row:
    """What two sightings of the same say together."""
    merged = known | {name: row[name] for name in LATEST if later(row, known, name)}
    merged["first"] = min(row["first"], known["first"])
    return merged | ({"refusal": row["refusal"]} if later(row, known, "refused") else {})
