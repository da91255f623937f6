"""Stores what plans add: blobs, pages of manifests and nodes, each once for a month and a scope.

A sweep (`sweeping.py`) removes what nobody refers to. So that it never removes what is just being referred to, every
transaction that writes holds `SWEEP_LOCK` shared and marks what it finds with the epoch of the last sweep that was
begun; a sweep begins by raising the epoch under the exclusive lock, and removes only what is of an older one.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg

from gateway.history.packing import pack
from gateway.history.planning import Additions, NewBlob, NewNode, NewPage
from gateway.history.projections import PROJECTIONS, StoredBlob

SWEEP_LOCK = 0x7475726F
LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(%s)"
READ_EPOCH = "SELECT number FROM gateway_epoch WHERE id = 1"
FIND_SCOPES = "SELECT team, id FROM gateway_scope WHERE team = ANY(%s)"
ADD_SCOPES = "INSERT INTO gateway_scope (team) SELECT unnest(%s::text[]) ON CONFLICT (team) DO NOTHING"
FIND = "SELECT digest, epoch FROM {table} WHERE month = %b AND scope = %b AND digest = ANY(%b)"
TOUCH = "UPDATE {table} SET epoch = %b WHERE month = %b AND scope = %b AND digest = ANY(%b) RETURNING digest"
ADD_BLOBS = """
INSERT INTO gateway_blob AS kept (month, scope, epoch, digest, kind, size, data)
SELECT %b, %b, %b, * FROM unnest(%b::bytea[], %b::int2[], %b::int4[], %b::bytea[])
ON CONFLICT (month, scope, digest) DO UPDATE SET epoch = EXCLUDED.epoch WHERE kept.epoch < EXCLUDED.epoch
"""
ADD_PAGES = """
INSERT INTO gateway_manifestpage AS kept (month, scope, epoch, digest, previous, entries)
SELECT %b, %b, %b, * FROM unnest(%b::bytea[], %b::bytea[], %b::bytea[])
ON CONFLICT (month, scope, digest) DO UPDATE SET epoch = EXCLUDED.epoch WHERE kept.epoch < EXCLUDED.epoch
"""
ADD_NODES = """
INSERT INTO gateway_node AS kept (month, scope, epoch, digest, parent, depth, kind, part, blob)
SELECT %b, %b, %b, * FROM unnest(%b::bytea[], %b::bytea[], %b::int4[], %b::int2[], %b::bytea[], %b::bytea[])
ON CONFLICT (month, scope, digest) DO UPDATE SET epoch = EXCLUDED.epoch WHERE kept.epoch < EXCLUDED.epoch
"""
Place = tuple[datetime.date, int]
"""Month and scope."""


class StalePlans(Exception):
    """A sweep began since these plans were made: what they took for stored may be gone. Plan again."""


class TreeWriter:
    """Over one psycopg connection; `begin` and `write` run in the transaction it is in."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.scopes: dict[str, int] = {"": 0}
        """By name of the team."""
        self._epoch = 0

    def find_scopes(self, teams: Iterable[str]) -> None:
        """Have them in `scopes`, made where they are missing. Not in a transaction that may be rolled back."""
        missing = sorted(set(teams) - self.scopes.keys())
        if missing:
            rows = self._execute(FIND_SCOPES, [missing]).fetchall()
            if len(rows) < len(missing):
                self._execute(ADD_SCOPES, [missing])
                rows = self._execute(FIND_SCOPES, [missing]).fetchall()
            self.scopes.update(rows)

    def begin(self, plans: Iterable[Additions]) -> None:
        """Keep sweeps from beginning before this transaction ends. Raises StalePlans."""
        self._execute(LOCK_SHARED, [SWEEP_LOCK])
        row = self._execute(READ_EPOCH, []).fetchone()
        self._epoch = row[0] if row else 0
        stale = [plan for plan in plans if plan.epoch not in (None, self._epoch)]
        if stale:
            stale[0].known.renew(self._epoch)
            raise StalePlans

    def write(self, place: Place, plans: Sequence[Additions]) -> None:
        """Store what the plans of one month and scope add."""
        blobs: dict[bytes, NewBlob] = {}
        brought: dict[bytes, uuid.UUID] = {}
        pages: dict[bytes, NewPage] = {}
        nodes: dict[bytes, NewNode] = {}
        for plan in plans:
            blobs |= plan.blobs
            brought = dict.fromkeys(plan.blobs, plan.exchange_id) | brought
            pages |= plan.pages
            nodes |= plan.nodes
        new_blobs = {digest: blobs[digest] for digest in self._missing("gateway_blob", place, blobs)}
        if new_blobs:
            self._add_blobs(place, new_blobs)
            self._project(place, new_blobs, brought)
        new_pages = self._missing("gateway_manifestpage", place, pages)
        if new_pages:
            columns = zip(*(pages[digest] for digest in new_pages), strict=True)
            self._execute(ADD_PAGES, [*place, self._epoch, new_pages, *map(list, columns)])
        new_nodes = self._missing("gateway_node", place, nodes)
        if new_nodes:
            columns = zip(*(nodes[digest] for digest in new_nodes), strict=True)
            self._execute(ADD_NODES, [*place, self._epoch, new_nodes, *map(list, columns)])

    def settle(self, placed: Iterable[tuple[tuple[datetime.date, str], Additions]]) -> None:
        """The transaction is committed: (month, team) and what was added there need not be stored again."""
        for key, plan in placed:
            plan.known.renew(self._epoch)
            scope = plan.known.scope(key)
            for digest, blob in plan.blobs.items():
                scope.add(digest, blob.part)
            for digest in (*plan.pages, *plan.nodes):
                scope.add(digest)

    def _missing(self, table: str, place: Place, digests: Iterable[bytes]) -> list[bytes]:
        """Those that are not stored, sorted; those that are belong to this epoch from now on."""
        wanted = sorted(digests)
        if not wanted:
            return []
        found = dict(self._execute(FIND.format(table=table), [*place, wanted]).fetchall())
        old = sorted(digest for digest, epoch in found.items() if epoch < self._epoch)
        if old:
            for digest in old:
                del found[digest]
            touched = self._execute(TOUCH.format(table=table), [self._epoch, *place, old])
            found |= dict.fromkeys((row[0] for row in touched), self._epoch)
        return [digest for digest in wanted if digest not in found]

    def _add_blobs(self, place: Place, blobs: Mapping[bytes, NewBlob]) -> None:
        packed = [pack(blob.data) for blob in blobs.values()]
        kinds, sizes = [blob.kind for blob in blobs.values()], [len(blob.data) for blob in blobs.values()]
        self._execute(ADD_BLOBS, [*place, self._epoch, list(blobs), kinds, sizes, packed])

    def _project(self, place: Place, blobs: Mapping[bytes, NewBlob], brought: Mapping[bytes, uuid.UUID]) -> None:
        for projection in PROJECTIONS:
            stored = [StoredBlob(brought[digest], digest, blob.kind, blob.data) for digest, blob in blobs.items()]
            projection.added(self._connection, *place, stored)

    def _execute(self, statement: str, values: Sequence[Any]) -> psycopg.Cursor[Any]:
        cursor = psycopg.Cursor(self._connection)
        cursor.execute(statement, values)
        return cursor
