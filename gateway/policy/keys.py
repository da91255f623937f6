"""The keys that open the gateway: `tl_`, 32 random bytes and a checksum, both in base 62. Only digests are kept."""

from __future__ import annotations

import secrets
import string
import zlib
from functools import lru_cache

from gateway.policy.keyed_digest import KeyedDigest

PREFIX = "tl_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
SECRET_BYTES = 32
SECRET_CHARACTERS = 43
CHECKSUM_CHARACTERS = 6


def generate_key() -> str:
    secret = base62(int.from_bytes(secrets.token_bytes(SECRET_BYTES), "big"), SECRET_CHARACTERS)
    return f"{PREFIX}{secret}{checksum(secret)}"


def is_well_formed(key: str) -> bool:
    """Whether a key that begins like ours was copied whole: its length and checksum fit."""
    secret, check = key[len(PREFIX) : -CHECKSUM_CHARACTERS], key[-CHECKSUM_CHARACTERS:]
    return key.startswith(PREFIX) and len(secret) == SECRET_CHARACTERS and check == checksum(secret)


def digest_key(pepper: bytes, key: bytes) -> bytes:
    """HMAC-SHA256 of a key as it came on the wire: what is stored, and what callers are looked up by."""
    return digest_under(pepper)(key)


@lru_cache(maxsize=8)
def digest_under(pepper: bytes) -> KeyedDigest:
    return KeyedDigest(pepper)


def key_hint(key: str) -> str:
    """The beginning and the last four characters, enough to recognise a key by and no more."""
    return f"{key[:6]}…{key[-4:]}" if len(key) >= 20 else "…"


def checksum(secret: str) -> str:
    return base62(zlib.crc32(secret.encode("ascii", "replace")), CHECKSUM_CHARACTERS)


def base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
