"""Calls of tools and their results, found in messages of any dialect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from gateway.dialects.json_values import (
    JSONObject,
    NotJSONError,
    object_or_none,
    objects_of,
    read_json,
    text_or_none,
    write_json,
)

_FAILED: Final = re.compile(r'(?:Process exited with code|Exit code:|"exit_code":)\s*(-?\d+)')
_LOOKED_AT: Final = 2_000
FILE_KEYS: Final = ("file_path", "notebook_path", "path", "filename")
READERS: Final = frozenset({"Read", "NotebookRead", "View", "read_file", "view", "view_image", "read", "ReadFile"})


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    input: Any
    """An object in most cases; the text when it is no JSON, as Codex's patches are."""

    @property
    def file(self) -> str | None:
        """The file it names, when it names one."""
        given = object_or_none(self.input) or {}
        return next((given[key] for key in FILE_KEYS if isinstance(given.get(key), str)), None)

    @property
    def reads(self) -> bool:
        return self.name in READERS


@dataclass(frozen=True, slots=True)
class ToolResult:
    id: str
    size: int
    """Bytes of its content as JSON."""
    is_error: bool | None
    """None: it does not say."""


def tool_calls(value: Any) -> Iterator[ToolCall]:
    """The calls in a message, an item, or a list of these. Never raises."""
    for item in _items(value):
        for block in objects_of(item.get("content")):
            if str(block.get("type")) in ("tool_use", "server_tool_use", "mcp_tool_use"):
                yield ToolCall(_text(block, "id"), _text(block, "name"), block.get("input"))
        for call in objects_of(item.get("tool_calls")):
            function = object_or_none(call.get("function")) or object_or_none(call.get("custom")) or {}
            given = function.get("arguments", function.get("input"))
            yield ToolCall(_text(call, "id"), _text(function, "name"), _arguments(given))
        kind = str(item.get("type"))
        if kind.endswith("_call"):
            given = next((item[key] for key in ("arguments", "input", "action", "operation") if key in item), None)
            yield ToolCall(_text(item, "call_id", "id"), _text(item, "name") or kind, _arguments(given))


def tool_results(value: Any) -> Iterator[ToolResult]:
    """The results in a message, an item, or a list of these. Never raises."""
    for item in _items(value):
        for block in objects_of(item.get("content")):
            if str(block.get("type")).endswith("tool_result"):
                failed = block.get("is_error")
                content = block.get("content")
                yield ToolResult(
                    _text(block, "tool_use_id"), _size(content), failed if isinstance(failed, bool) else False
                )
        if item.get("role") == "tool":
            yield ToolResult(_text(item, "tool_call_id"), _size(item.get("content")), None)
        if str(item.get("type")).endswith("_call_output"):
            yield ToolResult(_text(item, "call_id", "id"), _size(item.get("output")), _failed(item))


def _items(value: Any) -> list[JSONObject]:
    return objects_of(value) if isinstance(value, list) else [value] if isinstance(value, dict) else []


def _text(fields: JSONObject, *names: str) -> str:
    return next((text for name in names if (text := text_or_none(fields.get(name)))), "")


def _arguments(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        return read_json(given.encode("utf-8", "replace")).value
    except NotJSONError:
        return given


def _size(content: Any) -> int:
    return len(content.encode("utf-8", "replace")) if isinstance(content, str) else len(write_json(content))


def _failed(item: JSONObject) -> bool | None:
    """By the exit code that the client wrote into the output; None when there is none."""
    output = item.get("output")
    text = output if isinstance(output, str) else write_json(output).decode("utf-8", "replace")
    found = _FAILED.search(text[:_LOOKED_AT]) or _FAILED.search(text[-_LOOKED_AT:])
    return None if found is None else found[1] != "0"
