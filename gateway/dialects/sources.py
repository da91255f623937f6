"""Where an image or a document is, in the one form OpenAI's APIs have for it."""

from __future__ import annotations

from gateway.dialects.turn import ByURL, Inline, Refused, Source


def url_of(source: Source, path: str) -> str:
    """An address, or the bytes as a data URL. Raises Refused for files another provider keeps."""
    if isinstance(source, Inline):
        return f"data:{source.media_type};base64,{source.data}"
    if isinstance(source, ByURL):
        return source.url
    raise Refused(f"{path}: a file kept by another provider is not known to this one. Send its bytes.", path)
