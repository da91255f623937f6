"""What the fake model says: decided by the request and the scenario, the same for every dialect.

A user text with "use the tool NAME" (or "use the tool NAME with {json}") asks for that call; several ask for several.
A request whose last user turn holds a tool's result gets plain text, so that an agent's loop ends.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

DEFAULT_TEXT = "Hello from the fake provider. Ünïcödé ✓ 日本語 🚀 done."
THINKING = "Let me think about this… step 1, step 2 ✓."
SIGNATURE = "ZmFrZS1zaWduYXR1cmUt" + "eHh4" * 40
PATCH = "*** Begin Patch\n*** Add File: fake_patch.txt\n+hello from apply_patch ✓\n*** End Patch\n"

KNOWN_ARGUMENTS: dict[str, dict[str, Any]] = {
    "Bash": {"command": "echo fake-tool-$((40+2)) && pwd", "description": "Print a marker"},
    "exec_command": {"cmd": "echo fake-tool-$((40+2)) && pwd"},
    "get_weather": {"location": "Zürich"},
}
TOOL_REQUEST = re.compile(r"use the tool ([\w.-]+)( with (?=\{))?")


@dataclass
class ToolCall:
    name: str
    arguments: dict[str, Any] | str
    """A string for a free-form ("custom") tool."""


@dataclass
class Content:
    text: str
    thinking: str | None = None
    calls: list[ToolCall] = field(default_factory=list)
    input_tokens: int = 1
    cached_tokens: int = 0
    written_tokens: int = 0
    pieces: int | None = None
    """How many text deltas; None: pieces of 12 characters."""

    @property
    def output_tokens(self) -> int:
        return len(self.text) // 4 + (20 if self.thinking else 0) + 15 * len(self.calls) + 1

    def text_pieces(self) -> list[str]:
        if self.pieces is None:
            return cut(self.text, 12)
        return [f"{self.text} {index} " for index in range(self.pieces)]

    def full_text(self) -> str:
        return self.text if self.pieces is None else "".join(self.text_pieces())


def cut(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)] or [""]


def content_for(body: dict[str, Any], size: int, kind: str, params: dict[str, str]) -> Content:
    """`body` is the parsed request, `size` its length in bytes, `kind` one of text, tools, thinking, parallel_tools."""
    tools = offered_tools(body)
    text, has_result = last_user_turn(body)
    calls = [] if has_result else asked_calls(text, tools)
    if not calls and not has_result and kind in ("tools", "parallel_tools"):
        first = next(iter(tools), "get_weather")
        calls = [call_for(first, tools)] * (2 if kind == "parallel_tools" else 1)
    total = max(1, size // 4)
    cached = total * 3 // 4 if b"cache_control" in json.dumps(body).encode() else 0
    answer = unquote(params["text"]) if "text" in params else DEFAULT_TEXT
    schema = answer_schema(body)
    if schema is not None and not calls:
        answer = json.dumps(example(schema), ensure_ascii=False)
    return Content(
        text="I will call a tool." if calls else answer,
        thinking=THINKING if kind == "thinking" else None,
        calls=calls,
        input_tokens=total - cached,
        cached_tokens=cached,
        written_tokens=12 if cached else 0,
        pieces=int(params["events"]) if "events" in params and not calls else None,
    )


def asked_calls(text: str, tools: dict[str, dict[str, Any]]) -> list[ToolCall]:
    calls = []
    position = 0
    while match := TOOL_REQUEST.search(text, position):
        position = match.end()
        call = call_for(match[1].rstrip("."), tools)
        if match[2]:
            call.arguments, position = json.JSONDecoder().raw_decode(text, position)
        calls.append(call)
    return calls


def call_for(name: str, tools: dict[str, dict[str, Any]]) -> ToolCall:
    tool = tools.get(name, {})
    if tool.get("type") == "custom" and "input_schema" not in tool:
        return ToolCall(name, PATCH if name == "apply_patch" else "text('fake')")
    if name in KNOWN_ARGUMENTS:
        return ToolCall(name, dict(KNOWN_ARGUMENTS[name]))
    function = tool.get("function", tool)
    schema = function.get("input_schema") or function.get("parameters") or {}
    return ToolCall(name, example(schema) if schema else {})


def offered_tools(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for tool in body.get("tools") or []:
        name = tool.get("name") or tool.get("function", {}).get("name")
        if name:
            found[name] = tool
    return found


def last_user_turn(body: dict[str, Any]) -> tuple[str, bool]:
    """The text of the last user turn and whether a tool's result stands at the end."""
    turns = body.get("messages") or body.get("input") or []
    if isinstance(turns, str):
        return turns, False
    texts: list[str] = []
    for turn in reversed(turns):
        if turn.get("role") == "tool" or str(turn.get("type", "")).endswith("_output"):
            return "", True
        if turn.get("role") != "user":
            continue
        parts = turn.get("content") or []
        if isinstance(parts, str):
            return parts, False
        if any(part.get("type") == "tool_result" for part in parts):
            return "", True
        texts = [part.get("text", "") for part in parts]
        break
    return "\n".join(texts), False


def answer_schema(body: dict[str, Any]) -> dict[str, Any] | None:
    for holder in (body.get("output_config"), body.get("text"), body):
        wanted = (holder or {}).get("format") or (holder or {}).get("response_format") or {}
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            return wanted.get("schema") or wanted.get("json_schema", {}).get("schema")
    return None


def example(schema: dict[str, Any]) -> Any:
    """A smallest value that fits a JSON schema (the part of it that tools use)."""
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return example(schema[choice][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        return {name: example(properties.get(name, {})) for name in schema.get("required", properties)}
    if kind == "array":
        return [example(schema.get("items", {}))] * schema.get("minItems", 0)
    return {"string": "example", "number": 1.5, "integer": 1, "boolean": True, "null": None}[kind]
