"""Pieces of JSON as bytes: what encoders put their answers together from."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.json_values import mend, write_json

_encode = msgspec.json.Encoder().encode


def quote(text: str) -> bytes:
    """A JSON string. Half of a surrogate pair becomes U+FFFD."""
    try:
        return _encode(text)
    except UnicodeEncodeError:
        return _encode(mend(text))


def raw(text: str) -> msgspec.Raw:
    """JSON text as a value to be encoded as it stands."""
    return msgspec.Raw(text.encode("utf-8", "replace"))


def dump(value: Any) -> bytes:
    """A value, which may hold `raw` pieces, as JSON."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return write_json(value)
