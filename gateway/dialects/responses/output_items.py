"""Neutral parts as items: those of an answer's `output`, and those of the history in a request's `input`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.dialects.foreign_tools import ForeignTools, free_text
from gateway.dialects.names import Dialect
from gateway.dialects.responses.parts import encode_text
from gateway.dialects.seals import wrap_of
from gateway.dialects.turn import Part, Refusal, Text, Thinking, Tool, ToolCall, Unknown

DONE: Final = "completed"


def encode_reasoning(thinking: Thinking, item: str) -> dict[str, Any]:
    """As the caller gets it: a seal of another dialect goes in its envelope."""
    summary = [{"type": "summary_text", "text": thinking.text}] if thinking.text else []
    seal = thinking.seal
    encoded: dict[str, Any] = {"id": item, "type": "reasoning", "summary": summary}
    if seal is None:
        return encoded
    own = seal.issuer is Dialect.RESPONSES
    return encoded | {"encrypted_content": seal.value if own else wrap_of(thinking)}


def encode_message(parts: Sequence[Part], item: str, status: str = DONE) -> dict[str, Any]:
    content = [encode_spoken(part) for part in parts if isinstance(part, Text | Refusal)]
    return {"id": item, "type": "message", "status": status, "role": "assistant", "content": content}


def encode_spoken(part: Text | Refusal) -> dict[str, Any]:
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    return encode_text(part, output=True)


def original_call(call: ToolCall, tools: ForeignTools) -> ToolCall:
    """A function call as the call of the tool that the caller offered, which may be no function at all."""
    tool = tools.find(call.name) if call.kind == "function" and not call.namespace else None
    return call if tool is None else as_call_of(call, tool)


def as_call_of(call: ToolCall, tool: Tool) -> ToolCall:
    arguments = free_text(call.arguments) if tool.kind == "custom" else call.arguments
    return msgspec.structs.replace(call, name=tool.name, namespace=tool.namespace, kind=tool.kind, arguments=arguments)


def encode_call(call: ToolCall, item: str, status: str = DONE) -> dict[str, Any]:
    """The item of a call; `item` is its own id, which is another than the call's."""
    common = {"id": item, "status": status, "call_id": call.id}
    space = {"namespace": call.namespace} if call.namespace else {}
    if call.kind == "custom":
        return {"type": "custom_tool_call", **common, "name": call.name, "input": call.arguments, **space}
    if call.kind == "patch":
        return {"type": "apply_patch_call", **common, "operation": _object(call.arguments)}
    if call.kind == "shell":
        return _encode_shell(call, common)
    return {"type": "function_call", **common, "name": call.name, "arguments": call.arguments or "{}", **space}


def _encode_shell(call: ToolCall, common: dict[str, Any]) -> dict[str, Any]:
    action = _object(call.arguments)
    if call.name == "shell":
        defaults: dict[str, Any] = {"commands": [], "timeout_ms": None, "max_output_length": None}
        return {"type": "shell_call", **common, "action": defaults | action}
    return {"type": "local_shell_call", **common, "action": {"type": "exec", "env": {}, "command": []} | action}


def _object(arguments: str) -> dict[str, Any]:
    """The members of an object in JSON, each as it came; none when it is something else."""
    try:
        return msgspec.json.decode(arguments or "{}", type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return {}


def encode_own(part: Unknown) -> Any:
    """An item that came from this dialect and goes back to it; None for one of another."""
    return msgspec.Raw(part.raw.encode()) if part.dialect is Dialect.RESPONSES else None
