"""Anthropic's content blocks as neutral parts, and back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from gateway.dialects.foreign_tools import call_as_function
from gateway.dialects.json_text import raw
from gateway.dialects.names import Dialect
from gateway.dialects.raw_object import RawObject
from gateway.dialects.seals import unwrap, wrap
from gateway.dialects.turn import (
    ByFile,
    ByURL,
    CacheMark,
    Document,
    Image,
    Inline,
    InlineText,
    Part,
    Refusal,
    Refused,
    Seal,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Unknown,
)

_UNFIT: Final = re.compile(r"[^a-zA-Z0-9_-]")
_CACHE: Final = "cache_control"
_IN_TEXT: Final = frozenset({"type", "text", _CACHE, "citations"})
_IN_IMAGE: Final = frozenset({"type", "source", _CACHE})
_IN_DOCUMENT: Final = frozenset({"type", "source", "title", "context", _CACHE})
_IN_CALL: Final = frozenset({"type", "id", "name", "input", _CACHE})
_IN_RESULT: Final = frozenset({"type", "tool_use_id", "content", "is_error", _CACHE})
_IN_THINKING: Final = frozenset({"type", "thinking", "signature"})
EMPTY_INPUT: Final = ("", "{}")
UNREADABLE: Final = "unreadable_arguments"
_check_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def fit_id(text: str) -> str:
    """A call's id with the characters Anthropic takes; the same for the call and for its result."""
    return _UNFIT.sub("_", text)


def decode_content(read: RawObject, name: str) -> tuple[tuple[Part, ...], bool]:
    """(parts, whether it was a bare string) of a member that is a string or a list of blocks. Raises Refused."""
    kind = read.kind_of(name)
    if kind == '"':
        text = read.text(name)
        return ((Text(text),) if text else ()), True
    if kind not in ("", "["):
        raise Refused(f"{read.at(name)} must be a string or a list of blocks.", read.at(name))
    return tuple(decode_block(block) for block in read.children(name)), False


def decode_block(block: RawObject) -> Part:
    """Raises Refused when a block lacks what makes it one."""
    kind = block.text("type")
    decode = _DECODERS.get(kind)
    if decode is None:
        return Unknown(Dialect.ANTHROPIC, kind, block.json_text(), decode_cache(block))
    return decode(block)


def decode_cache(block: RawObject) -> CacheMark | None:
    mark = block.child(_CACHE)
    return CacheMark(mark.text("ttl"), mark.extras(frozenset({"type", "ttl"}))) if mark is not None else None


def _text(block: RawObject) -> Part:
    citations = tuple(
        Unknown(Dialect.ANTHROPIC, citation.text("type"), citation.json_text())
        for citation in block.children("citations")
    )
    return Text(block.text("text"), decode_cache(block), citations, block.extras(_IN_TEXT))


def _image(block: RawObject) -> Part:
    return Image(_source(block), cache=decode_cache(block), extras=block.extras(_IN_IMAGE))


def _document(block: RawObject) -> Part:
    source = block.child("source")
    if source is not None and source.text("type") == "content":
        return Unknown(Dialect.ANTHROPIC, "document", block.json_text(), decode_cache(block))
    return Document(
        _source(block), block.text("title"), block.text("context"), decode_cache(block), block.extras(_IN_DOCUMENT)
    )


def _source(block: RawObject) -> Source:
    source = block.child("source")
    kind = source.text("type") if source is not None else ""
    if source is None or kind not in ("base64", "url", "file", "text"):
        raise Refused(f"{block.at('source')} must be of type base64, url, file or text.", block.at("source"))
    if kind == "base64":
        return Inline(source.text("media_type"), source.text("data"))
    if kind == "text":
        return InlineText(source.text("data"), source.text("media_type") or "text/plain")
    return ByURL(source.text("url")) if kind == "url" else ByFile(source.text("file_id"))


def _thinking(block: RawObject) -> Part:
    signature = block.text("signature")
    seal = unwrap(signature, Dialect.ANTHROPIC) if signature else None
    return Thinking(block.text("thinking"), seal, extras=block.extras(_IN_THINKING))


def _redacted(block: RawObject) -> Part:
    return Thinking("", unwrap(block.text("data"), Dialect.ANTHROPIC), redacted=True)


def _call(block: RawObject) -> Part:
    return ToolCall(
        block.text("id"),
        block.text("name"),
        block.json("input"),
        cache=decode_cache(block),
        extras=block.extras(_IN_CALL),
    )


def _result(block: RawObject) -> Part:
    content, _ = decode_content(block, "content")
    return ToolResult(
        block.text("tool_use_id"),
        content,
        bool(block.flag("is_error")),
        cache=decode_cache(block),
        extras=block.extras(_IN_RESULT),
    )


_DECODERS: Final[dict[str, Callable[[RawObject], Part]]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _call,
    "tool_result": _result,
}


def encode_content(parts: Sequence[Part]) -> list[Any]:
    """The blocks that can be said, in order."""
    return [block for part in parts if (block := encode_block(part)) is not None]


def encode_block(part: Part) -> Any | None:
    """A block; None for what Anthropic has no word for, or refuses, as an empty text."""
    if isinstance(part, Text):
        return _encode_text(part) if part.text else None
    if isinstance(part, ToolCall):
        return _encode_call(part)
    if isinstance(part, ToolResult):
        return _encode_result(part)
    if isinstance(part, Thinking):
        return _encode_thinking(part)
    if isinstance(part, Image):
        return _finish({"type": "image", "source": encode_source(part.source)}, part)
    if isinstance(part, Document):
        named = {"title": part.title, "context": part.context}
        block = {"type": "document", "source": encode_source(part.source)}
        return _finish(block | {key: text for key, text in named.items() if text}, part)
    if isinstance(part, Refusal):
        return {"type": "text", "text": part.text} if part.text else None
    return raw(part.raw) if part.dialect is Dialect.ANTHROPIC else None


def _finish(block: dict[str, Any], part: Text | Image | Document | ToolCall | ToolResult) -> dict[str, Any]:
    if part.cache is not None:
        block[_CACHE] = encode_cache(part.cache)
    for name, value in part.extras:
        block[name] = raw(value)
    return block


def encode_cache(mark: CacheMark) -> dict[str, Any]:
    ttl = {"ttl": mark.ttl} if mark.ttl else {}
    return {"type": "ephemeral", **ttl, **{name: raw(value) for name, value in mark.extras}}


def _encode_text(part: Text) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": part.text}
    own = [raw(citation.raw) for citation in part.citations if citation.dialect is Dialect.ANTHROPIC]
    if own:
        block["citations"] = own
    return _finish(block, part)


def _encode_call(part: ToolCall) -> dict[str, Any]:
    # A function's name is the caller's own in an answer; in a request it was made to fit before.
    call = part if part.kind == "function" and not part.namespace else call_as_function(part)
    return _finish(
        {"type": "tool_use", "id": fit_id(call.id), "name": call.name, "input": _input(call.arguments)}, part
    )


def _input(arguments: str) -> Any:
    """A call's input is an object in this dialect. What the model cut off or garbled is told as it wrote it: whoever is
    to run the call misses its fields, and the model sees what became of them."""
    if arguments.strip() in EMPTY_INPUT:
        return {}
    value = raw(arguments)
    try:
        _check_object(value)
    except msgspec.DecodeError:
        return {UNREADABLE: arguments}
    return value


def _encode_result(part: ToolResult) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": fit_id(part.call)}
    content = encode_content(part.content)
    if content:
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
    return _finish(block, part)


def _encode_thinking(part: Thinking) -> dict[str, Any] | None:
    seal = part.seal
    if part.redacted and seal is not None and seal.issuer is Dialect.ANTHROPIC:
        return {"type": "redacted_thinking", "data": seal.value}
    signature = encode_seal(seal) if seal is not None else ""
    block: dict[str, Any] = {"type": "thinking", "thinking": part.text, "signature": signature}
    return block | {name: raw(value) for name, value in part.extras}


def encode_seal(seal: Seal) -> str:
    """A signature of Anthropic's own as it is; a foreign seal in an envelope that only we open."""
    return seal.value if seal.issuer is Dialect.ANTHROPIC else wrap(seal)


def encode_source(source: Source) -> dict[str, Any]:
    if isinstance(source, Inline):
        return {"type": "base64", "media_type": source.media_type, "data": source.data}
    if isinstance(source, InlineText):
        return {"type": "text", "media_type": source.media_type, "data": source.text}
    if isinstance(source, ByURL):
        return {"type": "url", "url": source.url}
    return {"type": "file", "file_id": source.id}
