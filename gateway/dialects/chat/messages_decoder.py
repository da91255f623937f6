"""The messages of a Chat Completions request as neutral ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.dialects.chat.sealed_thoughts import decode_details
from gateway.dialects.names import Dialect
from gateway.dialects.raw_object import RawObject
from gateway.dialects.sources import PAGES, as_text
from gateway.dialects.turn import (
    ByFile,
    ByURL,
    CacheMark,
    Document,
    Image,
    Inline,
    Message,
    Part,
    Refusal,
    Refused,
    Role,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Unknown,
)

_ROLES: Final = {
    "system": Role.SYSTEM,
    "developer": Role.DEVELOPER,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
_KNOWN: Final = frozenset(
    {
        "role", "content", "name", "tool_calls", "tool_call_id", "refusal", "reasoning_content", "reasoning",
        "reasoning_details", "function_call", "annotations", "cache_control",
    }
)  # fmt: skip


def decode_messages(read: RawObject) -> tuple[Message, ...]:
    """Raises Refused."""
    messages = tuple(_message(message) for message in read.children("messages"))
    if not messages:
        raise Refused("messages: at least one message is required.", "messages")
    return messages


def _message(message: RawObject) -> Message:
    role = message.text("role")
    if role in ("tool", "function"):
        return Message(Role.USER, (_result(message),))
    if role not in _ROLES:
        raise Refused(f"{message.at('role')} must be system, developer, user, assistant or tool.", message.at("role"))
    content, plain = decode_content(message)
    if role == "assistant":
        content = (*_thoughts(message), *content, *_assistant_rest(message))
    return Message(_ROLES[role], content, plain, message.text("name"), extras=message.extras(_KNOWN))


def decode_content(message: RawObject) -> tuple[tuple[Part, ...], bool]:
    """(parts, whether it was a bare string) of a message's content. Raises Refused."""
    kind = message.kind_of("content")
    if kind == '"':
        text = message.text("content")
        return ((Text(text, _cache(message)),) if text else ()), True
    if kind not in ("", "["):
        raise Refused(f"{message.at('content')} must be a string or a list of parts.", message.at("content"))
    return tuple(decode_part(part) for part in message.children("content")), False


def decode_part(part: RawObject) -> Part:
    """Raises Refused when a part lacks what makes it one."""
    decode = _DECODERS.get(part.text("type"))
    return decode(part) if decode is not None else Unknown(Dialect.CHAT, part.text("type"), part.json_text())


def _cache(part: RawObject) -> CacheMark | None:
    """Anthropic's breakpoint, which OpenRouter and LiteLLM take on a part or on a message."""
    mark = part.child("cache_control")
    return CacheMark(mark.text("ttl")) if mark is not None else None


def _text(part: RawObject) -> Part:
    return Text(part.text("text"), _cache(part))


def _refusal(part: RawObject) -> Part:
    return Refusal(part.text("refusal"))


def _image(part: RawObject) -> Part:
    image = part.child("image_url") if part.kind_of("image_url") == "{" else None
    url = image.text("url") if image is not None else part.text("image_url")
    if not url:
        raise Refused(f"{part.at('image_url')} needs a url.", part.at("image_url"))
    return Image(read_url(url), image.text("detail") if image is not None else "", _cache(part))


def read_url(url: str) -> Source:
    """A data URL's bytes, or the address."""
    head, comma, data = url.partition(",")
    if head.startswith("data:") and comma and head.endswith(";base64"):
        return Inline(head[5:-7], data)
    return ByURL(url)


def _file(part: RawObject) -> Part:
    file = part.child("file")
    if file is None:
        raise Refused(f"{part.at('file')} is needed.", part.at("file"))
    source = ByFile(file.text("file_id")) if file.has("file_id") else read_url(file.text("file_data"))
    if isinstance(source, ByURL) and not source.url.startswith(("http:", "https:")):
        source = Inline(PAGES, source.url)
    return Document(as_text(source), file.text("filename"))


_DECODERS: Final[dict[str, Callable[[RawObject], Part]]] = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "file": _file,
}


def _result(message: RawObject) -> ToolResult:
    content, _ = decode_content(message)
    return ToolResult(message.text("tool_call_id") or message.text("name"), content)


def _thoughts(message: RawObject) -> tuple[Part, ...]:
    if sealed := decode_details(message):
        return sealed
    for name in ("reasoning_content", "reasoning"):
        if message.kind_of(name) == '"' and (text := message.text(name)):
            return (Thinking(text),)
    return ()


def _assistant_rest(message: RawObject) -> list[Part]:
    """What an assistant's message holds beside its content."""
    rest: list[Part] = []
    if refusal := message.text("refusal"):
        rest.append(Refusal(refusal))
    rest += [_call(call) for call in message.children("tool_calls")]
    function = message.child("function_call")
    if function is not None:
        rest.append(ToolCall(function.text("name"), function.text("name"), function.text("arguments")))
    return rest


def _call(call: RawObject) -> ToolCall:
    custom = call.child("custom")
    if custom is not None:
        return ToolCall(call.text("id"), custom.text("name"), custom.text("input"), "custom")
    function = call.child("function")
    if function is None:
        raise Refused(f"{call.at('function')} is needed.", call.at("function"))
    # Some clients send the arguments as an object.
    arguments = function.text("arguments") if function.kind_of("arguments") == '"' else function.json("arguments")
    return ToolCall(call.text("id"), function.text("name"), arguments)
