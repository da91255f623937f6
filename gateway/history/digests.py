"""Digests of the store: the first 20 bytes of BLAKE3, a length that nobody finds a collision for.

They find what is stored already; that what is rebuilt is what was recorded is proved apart, by SHA-256 of the whole
body. With encryption at rest they are keyed: whoever reads the tables cannot tell whether a text is in them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from blake3 import blake3

SIZE = 20


class Digests:
    """Of one key of 32 bytes, or without a key."""

    def __init__(self, key: bytes | None = None) -> None:
        self._hash: Callable[[bytes], blake3] = blake3 if key is None else partial(blake3, key=key)

    def blob(self, data: bytes) -> bytes:
        return self._hash(data).digest(SIZE)

    def part(self, kind: int, normal_form: bytes) -> bytes:
        """What a part says."""
        return self._hash(b"part%c" % kind + normal_form).digest(SIZE)

    def node(self, parent: bytes | None, part: bytes) -> bytes:
        """A part after those before it."""
        return self._hash(b"node" + (parent or b"") + part).digest(SIZE)

    def page(self, previous: bytes | None, entries: bytes) -> bytes:
        return self._hash(b"page" + (previous or b"") + entries).digest(SIZE)
