"""Where an image or a document is: the one form OpenAI's APIs have for it, and the one every API has for text."""

from __future__ import annotations

import base64
from typing import Final

from gateway.dialects.turn import ByURL, Inline, InlineText, Refused, Source

PAGES: Final = "application/pdf"


def url_of(source: Source, path: str) -> str:
    """An address, or the bytes as a data URL. Raises Refused for files another provider keeps."""
    if isinstance(source, Inline):
        return f"data:{source.media_type};base64,{source.data}"
    if isinstance(source, ByURL):
        return source.url
    raise Refused(f"{path}: a file kept by another provider is not known to this one. Send its bytes.", path)


def as_text(source: Source) -> Source:
    """A file of text as its text. Pages, and bytes that are no text, stay what they are."""
    if not isinstance(source, Inline) or source.media_type == PAGES:
        return source
    try:
        return InlineText(base64.b64decode(source.data, validate=True).decode())
    except ValueError:
        return source
