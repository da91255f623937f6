"""What this process knows to be stored, so that a resent conversation costs digests and no more.

For each month and team a set of digests; for blobs also the digest of what they say, which would have to be parsed for
otherwise. It is a memory of committed transactions only, and it is void as soon as a sweep begins (`epoch`), because a
sweep may remove what nobody refers to at that time.
"""

from __future__ import annotations

import datetime
from collections import OrderedDict

MOST_SCOPES = 64
MOST_DIGESTS = 60_000
ScopeKey = tuple[datetime.date, str]
"""Month, and name of the team."""


class KnownScope:
    """Digests of one month and team. When there are too many the older half is forgotten."""

    __slots__ = ("_old", "_young")

    def __init__(self) -> None:
        self._young: dict[bytes, bytes] = {}
        self._old: dict[bytes, bytes] = {}

    def get(self, digest: bytes) -> bytes | None:
        """The digest of what the blob says, an empty one for anything else; None when it is not known."""
        value = self._young.get(digest)
        if value is None and (value := self._old.get(digest)) is not None:
            self._young[digest] = value
        return value

    def add(self, digest: bytes, value: bytes = b"") -> None:
        self._young[digest] = value
        if len(self._young) > MOST_DIGESTS:
            self._old, self._young = self._young, {}


class Known:
    def __init__(self) -> None:
        self._scopes: OrderedDict[ScopeKey, KnownScope] = OrderedDict()
        self.epoch: int | None = None
        """The sweep up to which this holds; None while nothing is known."""

    def scope(self, key: ScopeKey) -> KnownScope:
        scope = self._scopes.get(key)
        if scope is None:
            scope = self._scopes[key] = KnownScope()
            if len(self._scopes) > MOST_SCOPES:
                self._scopes.popitem(last=False)
        else:
            self._scopes.move_to_end(key)
        return scope

    def renew(self, epoch: int) -> None:
        """Forget everything, unless it is of this epoch."""
        if self.epoch != epoch:
            self._scopes.clear()
            self.epoch = epoch
