"""HMAC-SHA256 under a key that stays: the key's own blocks are hashed once and not with every value (RFC 2104).

`hmac.digest` asks OpenSSL for the algorithm each time, which costs more than the hash of a header's value.
"""

from __future__ import annotations

from hashlib import sha256

BLOCK = 64
INNER, OUTER = 0x36, 0x5C


class KeyedDigest:
    """Called with a value gives what `hmac.digest(key, value, "sha256")` gives. Threads may share it: each call works
    on copies, which are made under the interpreter's lock."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (sha256(key).digest() if len(key) > BLOCK else key).ljust(BLOCK, b"\0")
        self._inner = sha256(bytes(byte ^ INNER for byte in block))
        self._outer = sha256(bytes(byte ^ OUTER for byte in block))

    def __call__(self, value: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value)
        outer.update(inner.digest())
        return outer.digest()
