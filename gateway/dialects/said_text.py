"""What values of a dialect say in words, and which of a request's words are new. Never raises."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

NESTING: Final = 12
NEWEST: Final = 64
"""Items at the end of a conversation that may belong together: the results of tools that were called at once."""
_UNSAID: Final = frozenset(
    {"type", "id", "role", "signature", "encrypted_content", "tool_use_id", "call_id", "tool_call_id", "media_type",
     "data", "status", "cache_control"}
)  # fmt: skip
_ENCODED: Final = re.compile(r"data:[\w/+.-]{0,80};base64,")
_ABSENT: Final = msgspec.Raw(b"")
_SLICES: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OF_A_MODEL: Final = frozenset({"assistant", "function_call", "reasoning", "custom_tool_call", "local_shell_call"})


class _Body(msgspec.Struct):
    messages: msgspec.Raw = _ABSENT
    input: msgspec.Raw = _ABSENT
    prompt: msgspec.Raw = _ABSENT


_BODY: Final = msgspec.json.Decoder(_Body)


def text_of(value: Any, most: int) -> str:
    """Everything a value says in words, line by line, up to so many characters: texts, thoughts, what tools are given
    and give back."""
    pieces: list[str] = []
    left = most
    for text in texts_of(value):
        pieces.append(text[:left])
        left -= len(pieces[-1]) + 1
        if left <= 0:
            break
    return "\n".join(pieces)


def texts_of(value: Any, depth: int = NESTING) -> Iterator[str]:
    if isinstance(value, str):
        if value and not is_encoded(value):
            yield value
    elif depth and isinstance(value, list):
        for item in value:
            yield from texts_of(item, depth - 1)
    elif depth and isinstance(value, dict):
        for key, item in value.items():
            if key not in _UNSAID:
                yield from texts_of(item, depth - 1)


def is_encoded(text: str) -> bool:
    """A picture or a file as a data address."""
    return text.startswith("data:") and _ENCODED.match(text) is not None


def newest_text(body: bytes, most: int) -> str:
    """What a request says after the last answer in it; empty for a body of another form."""
    try:
        found = _BODY.decode(body)
        raw = found.messages or found.input or found.prompt
        if not raw:
            return ""
        if not bytes(raw).lstrip().startswith(b"["):
            return text_of(msgspec.json.decode(raw), most)
        return text_of(after_the_answer(_SLICES.decode(raw)), most)
    except (ValueError, RecursionError):
        return ""


def after_the_answer(items: Sequence[msgspec.Raw]) -> list[Any]:
    """The last items that no model wrote, decoded, in their order."""
    newest: list[Any] = []
    for raw in reversed(items[-NEWEST:]):
        item = msgspec.json.decode(raw)
        said_by = (item.get("role") or item.get("type")) if isinstance(item, dict) else None
        # A conversation that ends with an answer begins the next one itself, and the caller wrote that.
        if newest and isinstance(said_by, str) and said_by in _OF_A_MODEL:
            break
        newest.append(item)
    return newest[::-1]
