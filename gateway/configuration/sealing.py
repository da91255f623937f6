"""Secrets at rest: provider credentials encrypted, everything else as keyed digests."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

# `cryptography` takes 7 MiB, which a process that has nothing to decrypt need not spend: it is imported when needed.


class Unreadable(ValueError):
    """The stored secret cannot be decrypted with any of the encryption keys in force."""


def seal(clear: str) -> bytes:
    return cipher(tuple(settings.ENCRYPTION_KEYS)).encrypt(clear.encode("utf-8"))


def unseal(ciphertext: bytes) -> str:
    """The clear text; raises Unreadable."""
    from cryptography.fernet import InvalidToken

    try:
        return cipher(tuple(settings.ENCRYPTION_KEYS)).decrypt(bytes(ciphertext)).decode("utf-8")
    except InvalidToken:
        raise Unreadable("cannot be decrypted with the encryption keys in force (TURNLOG_ENCRYPTION_KEYS)") from None


@lru_cache(maxsize=4)
def cipher(keys: tuple[str, ...]) -> MultiFernet:
    """The first key encrypts, all decrypt."""
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


def pepper(purpose: str) -> bytes:
    """A key for digests, one for each purpose, derived from the secret key."""
    return hmac.digest(settings.SECRET_KEY.encode("utf-8"), f"turnlog {purpose}".encode(), "sha256")


def access_key_pepper() -> bytes:
    return pepper("access keys")


def fingerprint(secret: str) -> str:
    """16 hex digits that tell two stored credentials apart and give nothing away."""
    return hmac.digest(pepper("credential fingerprints"), secret.encode("utf-8"), "sha256").hex()[:16]
