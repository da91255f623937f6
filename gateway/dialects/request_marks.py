"""What of a request's body tells which kind of work it is for. Read only where a route asks for it. Never raises."""

from __future__ import annotations

from typing import Any, Final

import msgspec

_ABSENT: Final = msgspec.Raw(b"")
SUBAGENT_TAG = "<CCR-SUBAGENT-MODEL>"
IMAGE_TYPES = frozenset({"image", "image_url", "input_image"})


class _Body(msgspec.Struct):
    tools: msgspec.Raw = _ABSENT
    messages: msgspec.Raw = _ABSENT
    input: msgspec.Raw = _ABSENT
    system: msgspec.Raw = _ABSENT


class RequestMarks(msgspec.Struct, frozen=True):
    offers_web_search: bool = False
    ends_with_image: bool = False
    """The last message holds one, in a tool's result too."""
    is_tagged_subagent: bool = False
    """Its second system block begins with Claude Code Router's tag."""


def read_marks(body: bytes) -> RequestMarks:
    try:
        found = msgspec.json.decode(body, type=_Body)
    except (ValueError, RecursionError):
        return RequestMarks()
    return RequestMarks(
        any(is_web_search(tool) for tool in items(found.tools)),
        holds_image(last(found.messages) or last(found.input)),
        is_tagged(items(found.system)),
    )


def items(raw: msgspec.Raw) -> list[Any]:
    try:
        value = msgspec.json.decode(raw) if raw else None
    except (ValueError, RecursionError):
        return []
    return value if isinstance(value, list) else []


def last(raw: msgspec.Raw) -> Any:
    """Of a long list only the last is read."""
    try:
        slices = msgspec.json.decode(raw, type=list[msgspec.Raw]) if raw else []
        return msgspec.json.decode(slices[-1]) if slices else None
    except (ValueError, RecursionError):
        return None


def is_web_search(tool: Any) -> bool:
    return isinstance(tool, dict) and str(tool.get("type", "")).startswith("web_search")


def holds_image(value: Any) -> bool:
    if isinstance(value, list):
        return any(holds_image(item) for item in value)
    if not isinstance(value, dict):
        return False
    return value.get("type") in IMAGE_TYPES or holds_image(value.get("content"))


def is_tagged(system: list[Any]) -> bool:
    block = system[1] if len(system) > 1 else None
    return isinstance(block, dict) and str(block.get("text", "")).startswith(SUBAGENT_TAG)
