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
from gateway.dialects.turn import REDACTED, Seal, Thinking

__all__ = ["MARK", "is_redacted", "is_wrapped", "unwrap", "wrap", "wrap_of"]

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


def wrap_of(thinking: Thinking) -> str:
    """The envelope of a thought's seal, for a dialect without a word for redacted ones: a thought that is not shown has
    no text either, and its signature is another thing to Anthropic than redacted data."""
    seal = thinking.seal
    if seal is None:
        return ""
    hidden = thinking.redacted and seal.issuer is Dialect.ANTHROPIC
    return wrap(msgspec.structs.replace(seal, item=REDACTED) if hidden else seal)


def is_redacted(text: str, seal: Seal | None) -> bool:
    """Whether the thought that came with `wrap_of`'s envelope was redacted."""
    if seal is None:
        return False
    return seal.item == REDACTED if seal.issuer is Dialect.ANTHROPIC else not text


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
