"""The parts of a message or of a tool's output, read and written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.dialects.citations import as_annotation
from gateway.dialects.names import Dialect
from gateway.dialects.raw_object import RawObject
from gateway.dialects.readable import readable, told_as_text
from gateway.dialects.sources import PAGES, as_text, url_of
from gateway.dialects.turn import (
    ByFile,
    ByURL,
    Document,
    Image,
    Inline,
    InlineText,
    Loss,
    Part,
    Refusal,
    Refused,
    Source,
    Text,
    Unknown,
)

_TEXTS: Final = frozenset({"input_text", "output_text", "text", "summary_text", "reasoning_text"})
_KNOWN_IN_TEXT: Final = frozenset({"type", "text", "annotations", "logprobs"})
_EXTENSIONS: Final = {"application/pdf": ".pdf", "text/plain": ".txt"}
_DATA: Final = "data:"
_BASE64: Final = ";base64,"


def decode_content(holder: RawObject, name: str) -> tuple[tuple[Part, ...], bool]:
    """The parts under `name`, and whether they came as a bare string. Raises Refused."""
    if holder.kind_of(name) == '"':
        return (Text(holder.text(name)),), True
    return tuple(decode_part(part) for part in holder.children(name)), False


def decode_part(part: RawObject) -> Part:
    kind = part.text("type")
    if kind in _TEXTS:
        citations = tuple(
            Unknown(Dialect.RESPONSES, note.text("type"), note.json_text()) for note in part.children("annotations")
        )
        return Text(part.text("text"), citations=citations, extras=part.extras(_KNOWN_IN_TEXT))
    if kind == "refusal":
        return Refusal(part.text("refusal"))
    if kind == "input_image":
        return Image(_image_source(part), detail=part.text("detail"))
    if kind == "input_file":
        return Document(as_text(_file_source(part)), title=part.text("filename"))
    return Unknown(Dialect.RESPONSES, kind, part.json_text())


def _image_source(part: RawObject) -> Source:
    """`image_url` is a string; as an object, which Chat Completions has, it is taken too."""
    if part.has("file_id"):
        return ByFile(part.text("file_id"))
    nested = part.child("image_url") if part.kind_of("image_url") == "{" else None
    url = nested.text("url") if nested is not None else part.text("image_url")
    if not url:
        raise Refused(f"{part.path} needs image_url or file_id.", part.path)
    return source_of(url)


def _file_source(part: RawObject) -> Source:
    if part.has("file_id"):
        return ByFile(part.text("file_id"))
    if part.has("file_url"):
        return ByURL(part.text("file_url"))
    data = part.text("file_data")
    if not data:
        raise Refused(f"{part.path} needs file_data, file_url or file_id.", part.path)
    source = source_of(data)
    return Inline(PAGES, data) if isinstance(source, ByURL) else source


def source_of(url: str) -> Inline | ByURL:
    """A data URL taken apart; any other is kept."""
    if url.startswith(_DATA):
        head, mark, data = url.removeprefix(_DATA).partition(_BASE64)
        if mark:
            return Inline(head, data)
    return ByURL(url)


def _note(citation: Unknown) -> Any:
    if citation.dialect is Dialect.RESPONSES:
        return msgspec.Raw(citation.raw.encode())
    return as_annotation(citation, Dialect.RESPONSES)


def encode_text(text: Text, *, output: bool) -> dict[str, Any]:
    """`output`: as the model's own words, which carry annotations."""
    if not output:
        return {"type": "input_text", "text": text.text}
    notes = [note for citation in text.citations if (note := _note(citation)) is not None]
    return {"type": "output_text", "text": text.text, "annotations": notes, "logprobs": []}


def encode_input_parts(parts: Iterable[Part], field: str, losses: list[Loss]) -> list[dict[str, Any]]:
    """The user's parts, and those of a tool's output; what cannot be said is noted under `field`."""
    found = (_encode_input_part(part, f"{field}.{number}", losses) for number, part in enumerate(parts))
    return [part for part in found if part is not None]


def _encode_input_part(part: Part, field: str, losses: list[Loss]) -> Any:
    if isinstance(part, Text):
        return encode_text(part, output=False)
    if isinstance(part, Refusal):
        return {"type": "input_text", "text": part.text}
    if isinstance(part, Image):
        return _encode_image(part, field)
    if isinstance(part, Document):
        return _encode_document(part, field)
    if isinstance(part, Unknown):
        return _encode_unknown(part, field, losses)
    losses.append(Loss(field, f"the Responses API has no {type(part).__name__.lower()} there; it was left out"))
    return None


def _encode_unknown(part: Unknown, field: str, losses: list[Loss]) -> Any:
    if part.dialect is Dialect.RESPONSES:
        return msgspec.Raw(part.raw.encode())
    told = readable(part)
    if told is None:
        raise Refused(f"{field}: this model does not take content of type {part.kind}.", field)
    if (loss := told_as_text(part.kind)) not in losses:
        losses.append(loss)
    return {"type": "input_text", "text": told}


def _encode_image(image: Image, field: str) -> dict[str, Any]:
    encoded: dict[str, Any] = {"type": "input_image", "detail": image.detail or "auto"}
    return encoded | {"image_url": url_of(image.source, field)}


def _encode_document(document: Document, field: str) -> dict[str, Any]:
    source = document.source
    if isinstance(source, InlineText):
        head = f"{document.title}\n\n" if document.title else ""
        return {"type": "input_text", "text": head + source.text}
    if isinstance(source, ByURL):
        return {"type": "input_file", "file_url": source.url}
    extension = _EXTENSIONS.get(source.media_type, "") if isinstance(source, Inline) else ""
    return {
        "type": "input_file",
        "filename": document.title or f"document{extension}",
        "file_data": url_of(source, field),
    }
