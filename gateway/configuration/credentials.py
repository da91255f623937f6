"""A provider's key on its way into the database: encrypted, with what is needed to recognise it."""

from __future__ import annotations

from gateway.configuration.sealing import fingerprint, seal
from gateway.models import Credential


def set_secret(credential: Credential, secret: str) -> None:
    """Put `secret` into the row, which is not saved; raises ValueError when it cannot be a header's value."""
    if not secret or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise ValueError("a credential is printable ASCII without spaces")
    credential.ciphertext = seal(secret)
    credential.last_four = secret[-4:] if len(secret) >= 12 else ""
    credential.fingerprint = fingerprint(secret)
