"""Encryption of what was said, at rest: AES-256-GCM under the keys of TURNLOG_HISTORY_KEYS, newest first.

The first key seals, all of them open; without any nothing is sealed. Each key also keys the digests of what it seals,
and the proofs of whole bodies, so that nobody can look a text up by its digest, and a new key shares nothing with the
one before. A key that is taken out of the list shreds whatever it covered.
"""

from __future__ import annotations

import base64
import hmac
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings
from django.db import models

from gateway.models.packed_headers import compress, decompress, pack_json, unpack_json

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    JSONField = models.JSONField[Any, Any]
else:
    JSONField = models.JSONField

SEALED = b"\x02"
KEY_ID_BYTES = 4
NONCE_BYTES = 12
HEAD_BYTES = len(SEALED) + KEY_ID_BYTES + NONCE_BYTES


class KeyGone(ValueError):
    """What is sealed was sealed with a key that is not among those in force, or was tampered with."""


class HistoryKey(NamedTuple):
    """`digests`, `proofs` and `trigrams` are keys of 32 bytes derived for these."""

    id: bytes
    cipher: AESGCM
    digests: bytes
    proofs: bytes
    trigrams: bytes


def sealing_key() -> HistoryKey | None:
    """The key in force; None when nothing is sealed."""
    keys = ring(tuple(settings.HISTORY_KEYS))
    return next(iter(keys.values()), None)


@lru_cache(maxsize=8)
def ring(keys: tuple[str, ...]) -> dict[bytes, HistoryKey]:
    """By id, newest first."""
    return {key.id: key for key in map(derive, keys)}


def derive(text: str) -> HistoryKey:
    # Takes 7 MiB, which a process that seals nothing need not spend.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    secret = base64.urlsafe_b64decode(text.encode())
    names = ("id", "data", "digests", "proofs", "trigrams")
    id, data, digests, proofs, trigrams = (
        hmac.digest(secret, f"turnlog history {name}".encode(), "sha256") for name in names
    )
    return HistoryKey(id[:KEY_ID_BYTES], AESGCM(data), digests, proofs, trigrams)


def seal(data: bytes) -> bytes:
    """`data` as it is when there is no key."""
    key = sealing_key()
    if key is None:
        return data
    nonce = os.urandom(NONCE_BYTES)
    return b"".join((SEALED, key.id, nonce, key.cipher.encrypt(nonce, data, None)))


def unseal(data: bytes) -> bytes:
    """What was sealed; anything else as it is. Raises KeyGone."""
    if not data.startswith(SEALED):
        return data
    key = key_of(data)
    if key is None:
        raise KeyGone("it is encrypted with a key that is not in TURNLOG_HISTORY_KEYS")
    try:
        return key.cipher.decrypt(data[HEAD_BYTES - NONCE_BYTES : HEAD_BYTES], data[HEAD_BYTES:], None)
    except Exception as error:
        raise KeyGone("its encrypted bytes are not those that were written") from error


def key_of(data: bytes) -> HistoryKey | None:
    """The key something was sealed with; None when it was not sealed, or the key is gone."""
    if not data.startswith(SEALED):
        return None
    return ring(tuple(settings.HISTORY_KEYS)).get(data[len(SEALED) : len(SEALED) + KEY_ID_BYTES])


def seal_json(value: Any) -> Any:
    """A value for a JSON column, compressed, and as `{"sealed": ...}` when there is a key."""
    if sealing_key() is None:
        return pack_json(value)
    return {"sealed": base64.b64encode(seal(compress(value))).decode()}


def unseal_json(value: Any) -> Any:
    """What `seal_json` was given; an empty list when its key is gone."""
    try:
        if isinstance(value, dict) and set(value) == {"sealed"}:
            return decompress(unseal(base64.b64decode(value["sealed"])))
        return unpack_json(value)
    except ValueError:
        return []


class SealedJSONField(JSONField):
    """A JSON column whose values the loader compressed, and may have sealed; read, they are open."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return unseal_json(super().from_db_value(value, expression, connection))

    def deconstruct(self) -> Any:
        """In the database it is a JSON column like any other."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs
