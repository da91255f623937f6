"""How a sealed thought travels through a dialect that did not make it.

A signature or encrypted content can be read by its issuer alone. Handed to a client of another dialect it goes into a
marked envelope in the field that dialect has for such things; the client sends it back with its history, and the
envelope is opened again when the history goes to the issuer. A seal is never invented, and never shown to a provider
that did not make it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

import msgspec

from gateway.dialects.names import Dialect
from gateway.dialects.turn import Seal

__all__ = ["MARK", "is_wrapped", "unwrap", "wrap"]

MARK: Final = "turnlog.seal.1."
"""In no alphabet that providers seal with: a dot is neither base64 nor Fernet."""


class _Envelope(msgspec.Struct, array_like=True):
    issuer: Dialect
    value: str
    item: str = ""


def wrap(seal: Seal) -> str:
    """The envelope: ASCII without blanks."""
    packed = msgspec.json.encode(_Envelope(seal.issuer, seal.value, seal.item))
    return MARK + base64.b64encode(packed).decode("ascii")


def unwrap(text: str, dialect: Dialect, item: str = "") -> Seal:
    """The seal in an envelope of ours. Any other text is `dialect`'s own seal, of its item `item`."""
    if text.startswith(MARK):
        try:
            packed = base64.b64decode(text[len(MARK) :], validate=True)
            envelope = msgspec.json.decode(packed, type=_Envelope)
        except (binascii.Error, ValueError):
            return Seal(dialect, text, item)
        return Seal(envelope.issuer, envelope.value, envelope.item)
    return Seal(dialect, text, item)


def is_wrapped(text: str) -> bool:
    return text.startswith(MARK)
