"""Tool calls that a model wrote as text, because its engine has no parser for its way to call tools.

Two ways are read: XML (`<function=Name><parameter=key>value</parameter></function>`) and JSON
(`<tool_call>{"name": ..., "arguments": {...}}</tool_call>`), each with or without the other's frame. Only calls of
tools that were offered are read; everything else stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from gateway.dialects.chat.thoughts import held_back
from gateway.dialects.foreign_tools import as_function
from gateway.dialects.json_values import JSONObject, NotJSONError, is_object, object_or_none, read_json, write_json
from gateway.dialects.turn import ProviderTool, Tool, ToolCall

_MARKS: Final = {"<tool_call>": "</tool_call>", "<function=": "</function>"}
_FUNCTION: Final = re.compile(r"<function=([^>\s]+)\s*>(.*)", re.DOTALL)
_PARAMETER: Final = re.compile(r"<parameter=([^>\s]+)\s*>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|\Z)", re.DOTALL)
_FRAME_LEFT: Final = re.compile(r"\s*</tool_call>")


class TextCalls:
    """Splits text into words and calls, however it is cut. `id_prefix` is what the calls' ids begin with, `holds` what
    is held back because it may become a call."""

    def __init__(self, tools: Iterable[Tool | ProviderTool], id_prefix: str) -> None:
        told = [as_function(tool) for tool in tools if isinstance(tool, Tool)]
        self._schemas = {tool.name: tool.schema for tool in told}
        self._prefix = id_prefix
        self._calls = 0
        self.holds = ""
        self._end = ""

    def split(self, text: str) -> list[str | ToolCall]:
        """What is now decided. No text is empty."""
        found: list[str | ToolCall] = []
        text, self.holds = self.holds + text, ""
        while text:
            text = self._read_call(text, found) if self._end else self._read_words(text, found)
        return found

    def finish(self) -> list[str | ToolCall]:
        """What was held back: a call without its end, or text after all."""
        held, self.holds, self._end = self.holds, "", ""
        if not held:
            return []
        return [self._parse(held) or held]

    def _read_words(self, text: str, found: list[str | ToolCall]) -> str:
        text = self._drop_frame(text)
        starts = [(start, mark) for mark in _MARKS if (start := text.find(mark)) >= 0]
        if starts:
            start, mark = min(starts)
            self._end = _MARKS[mark]
            if text[:start].strip() or (text[:start] and not self._calls):
                found.append(text[:start])
            return text[start:]
        keep = max(held_back(text, mark) for mark in _MARKS)
        if decided := text[: len(text) - keep]:
            found.append(decided)
        self.holds = text[len(text) - keep :]
        return ""

    def _drop_frame(self, text: str) -> str:
        """What remains of a frame around the call that was just read."""
        left = _FRAME_LEFT.match(text) if self._calls else None
        return text[left.end() :] if left else text

    def _read_call(self, text: str, found: list[str | ToolCall]) -> str:
        end = text.find(self._end)
        if end < 0:
            self.holds = text
            return ""
        end += len(self._end)
        self._end = ""
        found.append(self._parse(text[:end]) or text[:end])
        return text[end:]

    def _parse(self, text: str) -> ToolCall | None:
        inner = text.removeprefix("<tool_call>").removesuffix("</tool_call>").strip()
        function = _FUNCTION.match(inner)
        name, arguments = self._read_xml(function) if function else self._read_json(inner)
        if name not in self._schemas or arguments is None:
            return None
        self._calls += 1
        return ToolCall(f"{self._prefix}{self._calls}", name, write_json(arguments).decode())

    def _read_xml(self, function: re.Match[str]) -> tuple[str, JSONObject]:
        name, rest = function[1], function[2].removesuffix("</function>")
        types = _types(self._schemas.get(name, ""))
        return name, {key: _value(value, types.get(key)) for key, value in _PARAMETER.findall(rest)}

    def _read_json(self, text: str) -> tuple[str, JSONObject | None]:
        try:
            value = read_json(text.encode("utf-8", "replace")).value
        except NotJSONError:
            return "", None
        if not is_object(value) or not isinstance(value.get("name"), str):
            return "", None
        return value["name"], object_or_none(value.get("arguments", value.get("parameters", {})))


def _types(schema: str) -> JSONObject:
    try:
        value = read_json(schema.encode()).value if schema else {}
    except NotJSONError:
        return {}
    properties = object_or_none(value.get("properties")) if is_object(value) else None
    return {key: rule.get("type") for key, rule in (properties or {}).items() if is_object(rule)}


def _value(text: str, kind: Any) -> Any:
    """A parameter's text as what the schema says it is; as text when it says nothing, or the text does not fit."""
    if kind in (None, "string"):
        return text
    try:
        return read_json(text.strip().encode("utf-8", "replace")).value
    except NotJSONError:
        return text
