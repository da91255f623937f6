"""What of its API a request uses, by name: body fields, types of tools, types of content blocks.

Names only, bounded in number and length: what stands under them stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from gateway.dialects.json_values import JSONObject, NotJSONError, fit_text, is_object, objects_of, read_json
from gateway.dialects.names import Dialect

_LONGEST: Final = 100
_MOST: Final = 200
_FREE_FORM: Final = frozenset({"metadata", "client_metadata"})
"""Objects whose keys are the caller's own."""
_LISTS: Final = frozenset({"messages", "input", "tools", "functions", "system", "instructions"})
_MESSAGES: Final = {Dialect.ANTHROPIC: "messages", Dialect.CHAT: "messages", Dialect.RESPONSES: "input"}
_PLAIN_TOOL: Final = {Dialect.ANTHROPIC: "custom", Dialect.CHAT: "function", Dialect.RESPONSES: "function"}


@dataclass(frozen=True, slots=True)
class Used:
    """Fields of objects are told as `thinking.type`."""

    fields: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    blocks: frozenset[str] = frozenset()


def used_by(dialect: Dialect, body: bytes) -> Used:
    """All of a request's body; nothing of one that is no JSON object. Never raises."""
    request = _object(body)
    if request is None:
        return Used()
    return Used(
        fields=_names(_fields(request)),
        tools=_names(_tools(dialect, request)),
        blocks=_names(_blocks_of(request.get(_MESSAGES.get(dialect, "")))),
    )


def blocks_in(message: bytes) -> frozenset[str]:
    """The block types of one message, or item of a Responses input. Never raises."""
    found = _object(message)
    return _names(_blocks(found)) if found is not None else frozenset()


def _object(data: bytes) -> JSONObject | None:
    try:
        value = read_json(data).value
    except NotJSONError:
        return None
    return value if is_object(value) else None


def _names(found: Iterable[str]) -> frozenset[str]:
    names: set[str] = set()
    for name in found:
        if len(names) >= _MOST:
            break
        if name and len(name) <= _LONGEST:
            names.add(fit_text(name))
    return frozenset(names)


def _fields(request: JSONObject) -> Iterator[str]:
    for key, value in request.items():
        yield key
        if is_object(value) and key not in _FREE_FORM:
            yield from (f"{key}.{part}" for part in value)
        elif isinstance(value, list) and key not in _LISTS:
            yield from (f"{key}[{item['type']}]" for item in objects_of(value) if isinstance(item.get("type"), str))


def _tools(dialect: Dialect, request: JSONObject) -> Iterator[str]:
    for tool in objects_of(request.get("tools")):
        kind = tool.get("type")
        yield kind if isinstance(kind, str) else _PLAIN_TOOL.get(dialect, "function")
    if request.get("functions"):
        yield "functions"


def _blocks_of(messages: Any) -> Iterator[str]:
    for message in objects_of(messages):
        yield from _blocks(message)


def _blocks(message: JSONObject) -> Iterator[str]:
    """Its own type, where it is an item of its own, and those of its content, also within a tool's result."""
    kind = message.get("type")
    if isinstance(kind, str):
        yield kind
    for call in objects_of(message.get("tool_calls")):
        yield f"tool_calls.{call.get('type') or 'function'}"
    for block in objects_of(message.get("content")):
        yield from _blocks(block)
