"""A request's body as the store keeps it: which blobs, pages and nodes it is made of, and which of them are new.

    body --split--> parts --reduce--> blobs + edits            (bytes: what is rebuilt)
                      parts --normal form--> nodes               (meaning: what conversations are compared by)

Nothing here touches the database. What `Known` has is left out of the plan; the writer stores the rest, and makes it
known once that is committed.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from gateway.dialects.names import Dialect
from gateway.dialects.normal_form import normal_form
from gateway.dialects.part_marks import reduce
from gateway.dialects.request_facts import RequestMembers
from gateway.dialects.request_parts import PartKind, Run, Split, Unsplit, split
from gateway.history.digests import SIZE, Digests
from gateway.history.known import Known, KnownScope
from gateway.models.at_rest import sealing_key

PAGE_ENTRIES = 8
SKELETON = 0
REPLY = 4

encode = msgspec.msgpack.Encoder().encode


class NewBlob(NamedTuple):
    kind: int
    data: bytes
    part: bytes
    """Digest of what it says; empty when it is no part."""


class NewPage(NamedTuple):
    previous: bytes | None
    entries: bytes


class NewNode(NamedTuple):
    parent: bytes | None
    depth: int
    kind: int
    part: bytes
    blob: bytes


@dataclass(slots=True)
class Additions:
    """What is not known to be stored, by digest. `epoch` is that of what was left out; None when nothing was."""

    exchange_id: uuid.UUID
    known: Known
    epoch: int | None
    blobs: dict[bytes, NewBlob] = field(default_factory=dict)
    pages: dict[bytes, NewPage] = field(default_factory=dict)
    nodes: dict[bytes, NewNode] = field(default_factory=dict)

    def size(self) -> int:
        return sum(len(blob.data) for blob in self.blobs.values())


class Manifest(NamedTuple):
    """How to rebuild a split body: `heads` and `tails` have one entry for each of its lists, in the body's order."""

    skeleton: bytes
    heads: list[bytes | None]
    tails: list[bytes]
    marks: bytes
    """msgpack of a list of (index of the part in the body's order, offset, text), empty when there are none."""
    prefix_leaf: bytes | None
    """The node of the last of tools and system; None without any."""
    messages_leaf: bytes | None
    """The node of the last message."""


class Chain(NamedTuple):
    """A list's parts: digests of what they say, and of their blobs."""

    kind: PartKind
    parts: list[bytes]
    blobs: list[bytes]


class Planner:
    """Plans for one process; `known` is shared by all its plans."""

    def __init__(self) -> None:
        key = sealing_key()
        self.known = Known()
        self._digests = Digests(key.digests if key else None)

    def begin(self, exchange_id: uuid.UUID, month: datetime.date, team: str) -> Plan:
        scope = self.known.scope((month, team))
        return Plan(scope, Additions(exchange_id, self.known, self.known.epoch), self._digests)


class Plan:
    """What one exchange adds to a month and a team."""

    def __init__(self, scope: KnownScope, additions: Additions, digests: Digests) -> None:
        self._scope = scope
        self._digests = digests
        self.additions = additions

    def request(self, dialect: Dialect, body: bytes, members: RequestMembers | None) -> Manifest | Unsplit:
        """Never raises."""
        found = split(dialect, body, members)
        if isinstance(found, Unsplit):
            return found
        heads, tails = [], []
        marks: list[tuple[int, int, bytes]] = []
        chains: list[Chain] = []
        index = 0
        for run in found.runs:
            entries, parts = self._parts(dialect, run, index, marks)
            index += len(entries)
            head, tail = self._pages(entries, whole=run.kind != PartKind.MESSAGE)
            heads.append(head)
            tails.append(tail)
            chains.append(Chain(run.kind, parts, entries))
        skeleton = self._blob(SKELETON, write_skeleton(found))
        before = sorted((chain for chain in chains if chain.kind != PartKind.MESSAGE), key=lambda chain: chain.kind)
        messages = [chain for chain in chains if chain.kind == PartKind.MESSAGE]
        marked = encode(marks) if marks else b""
        return Manifest(skeleton, heads, tails, marked, self._nodes(before), self._nodes(messages))

    def reply(self, data: bytes) -> bytes:
        """The digest of an answer's message, kept as the next request will send it back."""
        return self._blob(REPLY, data)

    def _blob(self, kind: int, data: bytes) -> bytes:
        digest = self._digests.blob(data)
        if self._scope.get(digest) is None:
            self.additions.blobs.setdefault(digest, NewBlob(kind, data, b""))
        return digest

    def _parts(
        self, dialect: Dialect, run: Run, index: int, marks: list[tuple[int, int, bytes]]
    ) -> tuple[list[bytes], list[bytes]]:
        """Digests of a run's blobs, and of what they say."""
        entries, parts = [], []
        for number, whole in enumerate(run.parts, index):
            digest = self._digests.blob(whole)
            part = self._scope.get(digest)
            if not part:
                # Only what is not stored as it is can bear marks.
                data, edits = reduce(run.kind, whole)
                if edits:
                    marks += [(number, offset, text) for offset, text in edits]
                    digest = self._digests.blob(data)
                part = self._scope.get(digest) or self._new_part(dialect, run.kind, digest, data)
            entries.append(digest)
            parts.append(part)
        return entries, parts

    def _new_part(self, dialect: Dialect, kind: PartKind, digest: bytes, data: bytes) -> bytes:
        blob = self.additions.blobs.get(digest)
        if blob is None or not blob.part:
            part = self._digests.part(kind, normal_form(dialect, kind, data))
            blob = self.additions.blobs[digest] = NewBlob(kind, data, part)
        return blob.part

    def _pages(self, entries: Sequence[bytes], *, whole: bool) -> tuple[bytes | None, bytes]:
        """The last page, and the entries after it: none for a list that is the same in every turn (`whole`), whose last
        page may be shorter."""
        head = None
        paged = len(entries) if whole else len(entries) - len(entries) % PAGE_ENTRIES
        for first in range(0, paged, PAGE_ENTRIES):
            page = b"".join(entries[first : first + PAGE_ENTRIES])
            digest = self._digests.page(head, page)
            if self._scope.get(digest) is None:
                self.additions.pages[digest] = NewPage(head, page)
            head = digest
        return head, b"".join(entries[paged:])

    def _nodes(self, chains: Sequence[Chain]) -> bytes | None:
        """The leaf of the path through these parts."""
        leaf, depth = None, 0
        for kind, parts, entries in chains:
            for part, blob in zip(parts, entries, strict=True):
                digest = self._digests.node(leaf, part)
                depth += 1
                if self._scope.get(digest) is None:
                    self.additions.nodes[digest] = NewNode(leaf, depth, kind, part, blob)
                leaf = digest
        return leaf


def write_skeleton(found: Split) -> bytes:
    """What is not a part: the literals, and of each list its kind and what lies between its parts."""
    return encode((list(found.literals), [(run.kind, run.gaps) for run in found.runs]))


def read_entries(entries: bytes) -> list[bytes]:
    return [entries[at : at + SIZE] for at in range(0, len(entries), SIZE)]
