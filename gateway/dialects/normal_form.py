"""What a part says, however it is written: the form that conversations are compared in.

A string is the same as a list of one text block, `cache_control` says nothing, the changing digits of the attribution
line are masked, and JSON is written in one way. Two parts with the same normal form say the same to the model.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from gateway.dialects.json_values import JSONObject, NotJSONError, read_json
from gateway.dialects.names import Dialect
from gateway.dialects.request_parts import PartKind

_CHANGING_DIGITS: Final = re.compile(r"(cc_version=[0-9.]+\.)(?:[0-9a-f]{3})?;")
_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_TEXT_TYPES: Final = {Dialect.RESPONSES: "input_text"}


def normal_form(dialect: Dialect, kind: PartKind, part: bytes) -> bytes:
    """Canonical JSON of a part; the part itself when it is not JSON. Never raises."""
    try:
        return _write(_NORMALISERS[kind](dialect, read_json(part).value))
    except (NotJSONError, ValueError, TypeError, OverflowError, RecursionError):
        return part


def _write(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value)
    except (ValueError, TypeError, OverflowError):
        return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def _tool(dialect: Dialect, value: Any) -> Any:
    return _unmarked(value) if isinstance(value, dict) else value


def _system(dialect: Dialect, value: Any) -> Any:
    block = {"type": "text", "text": value} if isinstance(value, str) else value
    if not isinstance(block, dict):
        return block
    block = _unmarked(block)
    text = block.get("text")
    if isinstance(text, str) and text.startswith("x-anthropic-billing-header:"):
        block["text"] = _CHANGING_DIGITS.sub(r"\1***;", text)
    return block


def _message(dialect: Dialect, value: Any) -> Any:
    kind = _TEXT_TYPES.get(dialect, "text")
    if isinstance(value, str):
        value = {"type": "message", "role": "user", "content": value}
    if not isinstance(value, dict):
        return value
    message = _unmarked(value)
    if "content" in message:
        message["content"] = _content(kind, message["content"])
    return message


def _content(kind: str, content: Any) -> Any:
    if isinstance(content, str):
        return [{"type": kind, "text": content}]
    return [_block(kind, block) for block in content] if isinstance(content, list) else content


def _block(kind: str, block: Any) -> Any:
    if not isinstance(block, dict):
        return block
    block = _unmarked(block)
    if block.get("type") == "tool_result" and "content" in block:
        block["content"] = _content(kind, block["content"])
    return block


def _unmarked(value: JSONObject) -> JSONObject:
    return {key: item for key, item in value.items() if key != "cache_control"}


_NORMALISERS: Final = {PartKind.TOOL: _tool, PartKind.SYSTEM: _system, PartKind.MESSAGE: _message}
