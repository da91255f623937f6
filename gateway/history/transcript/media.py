"""An image of a body, found again by the digest its block carries."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from gateway.history.transcript import parse
from gateway.history.transcript.blocks import media_digest

SHORTEST = 16
"""Characters of base64 that are worth a look."""
ENCODED = frozenset({"data", "url", "image_url", "file_data", "result"})
"""Members whose strings may be base64, or a data URL, in any of the dialects."""


def find_media(body: bytes, digest: str) -> bytes | None:
    """The decoded bytes; None when the body has none of this digest, or it is no base64."""
    for encoded in encoded_strings(parse(body)):
        if media_digest(encoded) == digest:
            try:
                return base64.b64decode(encoded)
            except (binascii.Error, ValueError):
                return None
    return None


def encoded_strings(value: Any) -> Iterator[str]:
    """Every string that may be a picture, wherever it stands; without recursion: bodies may be nested deep."""
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif isinstance(found, dict):
            for key, inner in found.items():
                if isinstance(inner, str):
                    if key in ENCODED and len(inner) >= SHORTEST:
                        yield inner.partition(",")[2] if inner.startswith("data:") else inner
                else:
                    waiting.append(inner)
