"""What requests were made of, many at once: paths through the prefix tree, cache breakpoints, and the other members."""

from __future__ import annotations

import datetime
import re
import uuid
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
from django.db import connection

from gateway.dialects.json_values import NotJSONError, object_or_none, read_json
from gateway.dialects.request_parts import PartKind
from gateway.history.conversation.calls import Breakpoint, Part
from gateway.history.manifests import Mark, decode_skeleton, read_marks
from gateway.history.packing import Damaged, unpack
from gateway.history.veil import curtain_of_scope

# PostgreSQL cannot tell how long a path is, and guesses a thousand times too many nodes: it would rather read all blobs
# of the month once than look each of these up. What stands behind OFFSET 0 it looks up.
PATHS: Final = """
WITH RECURSIVE path AS (
    SELECT digest, parent, kind, part, blob FROM gateway_node
    WHERE month = %(month)s AND scope = %(scope)s AND digest = ANY(%(leaves)s)
    UNION
    SELECT node.* FROM path CROSS JOIN LATERAL (
        SELECT digest, parent, kind, part, blob FROM gateway_node
        WHERE month = %(month)s AND scope = %(scope)s AND digest = path.parent OFFSET 0
    ) node
)
SELECT path.digest, path.parent, path.kind, path.part, path.blob, blob.size,
       CASE WHEN path.kind = %(message)s THEN blob.data END
FROM path LEFT JOIN LATERAL (
    SELECT size, data FROM gateway_blob
    WHERE month = %(month)s AND scope = %(scope)s AND digest = path.blob OFFSET 0
) blob ON TRUE
"""
BODIES: Final = "SELECT id, skeleton, data FROM gateway_storedbody WHERE id = ANY(%s) AND part = 0 AND codec = 'split'"
BLOBS: Final = "SELECT digest, size, data FROM gateway_blob WHERE month = %s AND scope = %s AND digest = ANY(%s)"

MARK: Final = b'"cache_control"'
LIFETIME: Final = re.compile(rb'"ttl"\s*:\s*"(\w{1,8})"')
ELSEWHERE: Final = frozenset({"model", "stream", "tools", "functions", "system", "instructions", "messages", "input"})
NO_SETTINGS: Final[Mapping[str, Any]] = {}


class _Role(msgspec.Struct):
    role: msgspec.Raw = msgspec.Raw(b"")
    type: msgspec.Raw = msgspec.Raw(b"")


decode_role = msgspec.json.Decoder(_Role).decode

Place = tuple[datetime.date, int]
Leaves = Sequence[tuple[uuid.UUID, Any, Any]]
"""Exchange, leaf of tools and system, leaf of the messages."""


class _Node(NamedTuple):
    parent: bytes | None
    part: Part


class _Skeleton(NamedTuple):
    kinds: Sequence[int]
    """Of the body's lists, in its order."""
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """Empty when the body was not split."""

    parts: Sequence[Part] = ()
    breakpoints: Sequence[Breakpoint] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


class PromptReader:
    """Reads prompts by months and scopes; what a part says is kept once read."""

    def __init__(self) -> None:
        self._prompts: dict[uuid.UUID, Prompt] = {}
        self._places: dict[bytes, Place] = {}
        self._data: dict[bytes, bytes] = {}
        self._values: dict[bytes, Any] = {}

    def load(self, month: datetime.date, scope: int, leaves: Leaves) -> None:
        """The prompts of these exchanges, all of one month and scope."""
        wanted = {bytes(leaf) for _, *both in leaves for leaf in both if leaf is not None}
        nodes = self._nodes((month, scope), wanted)
        bodies = fetch(BODIES, [[id for id, _, _ in leaves]])
        skeletons = self._skeletons((month, scope), {bytes(row[1]) for row in bodies})
        stored = {row[0]: (skeletons.get(bytes(row[1])), bytes(row[2])) for row in bodies}
        paths: dict[bytes, list[Part]] = {}
        for id, prefix_leaf, messages_leaf in leaves:
            parts = [*path_to(nodes, prefix_leaf, paths), *path_to(nodes, messages_leaf, paths)]
            skeleton, marks = stored.get(id, (None, b""))
            if parts and skeleton is not None:
                self._prompts[id] = Prompt(parts, breakpoints(parts, skeleton, marks), skeleton.settings)

    def prompt(self, exchange_id: uuid.UUID) -> Prompt:
        return self._prompts.get(exchange_id, Prompt())

    def read(self, part: Part) -> Any:
        """The JSON value of a part; None when it is gone or is none."""
        return self.value(part.blob)

    def value(self, blob: bytes) -> Any:
        """The JSON value of a blob that was loaded or is expected; None when it is gone or is none."""
        if blob not in self._values:
            value, curtain = json_value(self._bytes(blob)), curtain_of_scope(self._places[blob][1])
            self._values[blob] = value if curtain is None else curtain.value(value)
        return self._values[blob]

    def expect(self, place: Place, blob: bytes) -> bytes:
        """`blob`, which may be asked for later: it is then read together with the others."""
        self._places.setdefault(blob, place)
        return blob

    def read_blobs(self, place: Place, digests: Iterable[bytes]) -> dict[bytes, bytes]:
        """Those that are there, by digest."""
        month, scope = place
        rows = fetch(BLOBS, [month, scope, list(digests)])
        return {bytes(digest): data for digest, size, packed in rows if (data := unpacked(packed, size)) is not None}

    def _bytes(self, blob: bytes) -> bytes:
        if blob not in self._data:
            place = self._places[blob]
            others = [other for other, at in self._places.items() if at == place and other not in self._data]
            # Whoever asks for one tool or answer asks for all of them.
            self._data |= dict.fromkeys(others, b"") | self.read_blobs(place, others)
        return self._data[blob]

    def _nodes(self, place: Place, leaves: set[bytes]) -> dict[bytes, _Node]:
        month, scope = place
        values = {"month": month, "scope": scope, "leaves": list(leaves), "message": PartKind.MESSAGE.value}
        nodes: dict[bytes, _Node] = {}
        for digest, parent, kind, part, blob, size, packed in fetch(PATHS, values):
            name, role = bytes(blob), ""
            self._places[name] = place
            if packed is not None and (data := unpacked(packed, size)) is not None:
                self._data[name] = data
                role = role_of(data)
            made = Part(PartKind(kind), bytes(part), name, role, size or 0)
            nodes[bytes(digest)] = _Node(None if parent is None else bytes(parent), made)
        return nodes

    def _skeletons(self, place: Place, digests: set[bytes]) -> dict[bytes, _Skeleton]:
        curtain = curtain_of_scope(place[1])
        found = {digest: read_skeleton(data) for digest, data in self.read_blobs(place, digests).items()}
        return (
            found
            if curtain is None
            else {digest: read._replace(settings=curtain.value(read.settings)) for digest, read in found.items()}
        )


def path_to(nodes: Mapping[bytes, _Node], leaf: Any, paths: dict[bytes, list[Part]]) -> list[Part]:
    """From the root to the leaf; empty when a node of it is missing. `paths` are those found before, by their leaves:
    a turn's path goes on from the one before it."""
    parts: list[Part] = []
    first = at = None if leaf is None else bytes(leaf)
    while at is not None and at not in paths:
        node = nodes.get(at)
        if node is None:
            return []
        parts.append(node.part)
        at = node.parent
    found = paths.get(at, []) + parts[::-1] if at is not None else parts[::-1]
    if first is not None:
        paths[first] = found
    return found


def breakpoints(parts: Sequence[Part], skeleton: _Skeleton, packed: bytes) -> list[Breakpoint]:
    """Where `cache_control` stands. Marks count the parts in the body's order, paths in the cache's."""
    try:
        marks = [mark for mark in read_marks(packed) if MARK in mark.text]
    except Damaged:
        return []
    # Paths are in the order of the kinds.
    starts = [bisect_left(parts, kind, key=attrgetter("kind")) for kind in skeleton.kinds]
    ends = [bisect_right(parts, kind, key=attrgetter("kind")) for kind in skeleton.kinds]
    counts = [end - start for start, end in zip(starts, ends, strict=True)]
    found = {place: lifetime(mark) for mark in marks if (place := in_path(mark.number, counts, starts)) is not None}
    return [Breakpoint(place, ttl) for place, ttl in sorted(found.items())]


def in_path(number: int, counts: Sequence[int], starts: Sequence[int]) -> int | None:
    for count, start in zip(counts, starts, strict=True):
        if number < count:
            return start + number
        number -= count
    return None


def lifetime(mark: Mark) -> str:
    found = LIFETIME.search(mark.text)
    return found[1].decode() if found else "5m"


def read_skeleton(data: bytes) -> _Skeleton:
    """A skeleton is the body with holes where its lists were; with the holes filled it is JSON of everything else."""
    literals, runs = decode_skeleton(data)
    text = literals[0] + b"".join(hole(before) + after for before, after in pairwise(literals))
    fields = object_or_none(json_value(text)) or NO_SETTINGS
    return _Skeleton([kind for kind, _ in runs], {key: fields[key] for key in fields if key not in ELSEWHERE})


def hole(before: bytes) -> bytes:
    """Nothing between the brackets of a list; where a string was, null."""
    return b"" if before.rstrip().endswith(b"[") else b"null"


def role_of(message: bytes) -> str:
    """Its role; of a Responses item without one, its type."""
    try:
        fields = decode_role(message)
        return str(msgspec.json.decode(fields.role or fields.type or b'""', type=str))
    except (ValueError, RecursionError):
        return ""


def json_value(data: bytes) -> Any:
    try:
        return read_json(data).value if data else None
    except NotJSONError:
        return None


def unpacked(packed: Any, size: int) -> bytes | None:
    try:
        return unpack(bytes(packed), size)
    except Damaged:
        return None


def fetch(statement: str, values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[Any] = cursor.fetchall()
    return rows
