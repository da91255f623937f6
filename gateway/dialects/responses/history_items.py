"""A conversation as the items of a request's `input`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.dialects.foreign_tools import flat_name
from gateway.dialects.names import Dialect
from gateway.dialects.readable import as_error, readable, told_as_text
from gateway.dialects.responses.output_items import encode_call, encode_own, encode_spoken
from gateway.dialects.responses.parts import encode_input_parts
from gateway.dialects.turn import (
    Loss,
    Message,
    Part,
    Refusal,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Unknown,
)

_OUTPUTS: Final = {
    "function": "function_call_output",
    "custom": "custom_tool_call_output",
    "shell": "local_shell_call_output",
    "patch": "apply_patch_call_output",
}
_NAME: Final = Loss("messages[].name", "the Responses API does not know it; it was left out")
_UNSEALED: Final = "a thought is only taken back by the provider that sealed it; it was left out"


def encode_history(messages: Sequence[Message], losses: list[Loss]) -> list[Any]:
    items: list[Any] = []
    for number, message in enumerate(messages):
        field = f"messages.{number}"
        if message.name and _NAME not in losses:
            losses.append(_NAME)
        if message.role is Role.ASSISTANT:
            items += _encode_assistant(message.content, f"{field}.content", losses)
        else:
            items += _encode_side(message, f"{field}.content", losses)
    return items


def _encode_side(message: Message, field: str, losses: list[Loss]) -> list[Any]:
    """Results first, each an item; what else was said is one message behind them."""
    items: list[Any] = []
    rest: list[Part] = []
    for number, part in enumerate(message.content):
        if isinstance(part, ToolResult):
            items.append(_encode_result(part, f"{field}.{number}", losses))
        else:
            rest.append(part)
    if rest:
        content = encode_input_parts(rest, field, losses)
        if content:
            items.append({"type": "message", "role": message.role.value, "content": content})
    return items


def _encode_result(result: ToolResult, field: str, losses: list[Loss]) -> dict[str, Any]:
    kind = _OUTPUTS[result.kind]
    if result.kind == "patch":
        output: Any = _texts(result.content)
        status = "failed" if result.is_error else "completed"
        return {"type": kind, "call_id": result.call, "status": status, "output": output}
    output = _texts(result.content)
    if not all(isinstance(part, Text) for part in result.content):
        output = encode_input_parts(_marked(result), f"{field}.content", losses)
    elif result.is_error:
        output = as_error(output)
    name = "id" if result.kind == "shell" else "call_id"
    return {"type": kind, name: result.call, "output": output}


def _marked(result: ToolResult) -> Sequence[Part]:
    """Its parts, which begin by saying so when it is an error."""
    first = result.content[0]
    if not result.is_error or not isinstance(first, Text):
        return (Text(as_error("")), *result.content) if result.is_error else result.content
    return (Text(as_error(first.text)), *result.content[1:])


def _texts(content: Sequence[Part]) -> str:
    return "\n".join(part.text for part in content if isinstance(part, Text))


def _encode_assistant(content: Sequence[Part], field: str, losses: list[Loss]) -> list[Any]:
    items: list[Any] = []
    spoken: list[dict[str, Any]] = []
    for number, given in enumerate(content):
        part = _told(given, losses)
        if isinstance(part, Text | Refusal):
            spoken.append(encode_spoken(part))
            continue
        item = _encode_step(part, f"{field}.{number}", losses)
        if item is None:
            continue
        if spoken:
            items.append(_assistant_message(spoken))
            spoken = []
        items.append(item)
    if spoken:
        items.append(_assistant_message(spoken))
    return items


def _told(part: Part, losses: list[Loss]) -> Part:
    """What another API has a block for, as text where it can be read."""
    told = readable(part) if isinstance(part, Unknown) else None
    if told is None or not isinstance(part, Unknown):
        return part
    if (loss := told_as_text(part.kind)) not in losses:
        losses.append(loss)
    return Text(told)


def _assistant_message(spoken: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": spoken}


def _encode_step(part: Part, field: str, losses: list[Loss]) -> Any:
    if isinstance(part, ToolCall):
        call = msgspec.structs.replace(part, name=flat_name(part.name))
        item = encode_call(call, part.item)
        return item if part.item else {name: value for name, value in item.items() if name != "id"}
    if isinstance(part, Thinking):
        return _encode_thought(part, field, losses)
    own = encode_own(part) if isinstance(part, Unknown) else None
    if own is None:
        kind = part.kind if isinstance(part, Unknown) else type(part).__name__.lower()
        losses.append(Loss(field, f"the Responses API has no {kind} there; it was left out"))
    return own


def _encode_thought(thinking: Thinking, field: str, losses: list[Loss]) -> Any:
    seal = thinking.seal
    if seal is None or seal.issuer is not Dialect.RESPONSES:
        losses.append(Loss(field, _UNSEALED))
        return None
    summary = [{"type": "summary_text", "text": thinking.text}] if thinking.text else []
    item: dict[str, Any] = {"type": "reasoning", "summary": summary, "encrypted_content": seal.value}
    return item | ({"id": seal.item} if seal.item else {})
