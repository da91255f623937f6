"""Digests of the store: the first 20 bytes of BLAKE3, a length that nobody finds a collision for.

They find what is stored already; that what is rebuilt is what was recorded is proved apart, by SHA-256 of the whole
body.
"""

from __future__ import annotations

from blake3 import blake3

SIZE = 20


def blob_digest(data: bytes) -> bytes:
    return blake3(data).digest(SIZE)


def part_digest(kind: int, normal_form: bytes) -> bytes:
    """What a part says."""
    return blake3(b"part%c" % kind + normal_form).digest(SIZE)


def node_digest(parent: bytes | None, part: bytes) -> bytes:
    """A part after those before it."""
    return blake3(b"node" + (parent or b"") + part).digest(SIZE)


def page_digest(previous: bytes | None, entries: bytes) -> bytes:
    return blake3(b"page" + (previous or b"") + entries).digest(SIZE)
