"""A neutral answer as a response object."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.dialects.answer import Answer
from gateway.dialects.responses.output_items import (
    encode_call,
    encode_message,
    encode_own,
    encode_reasoning,
    original_call,
)
from gateway.dialects.responses.response_object import COMPACTION, ResponseObject, compaction
from gateway.dialects.turn import Part, Refusal, Request, Text, Thinking, ToolCall, Unknown


def encode_answer(answer: Answer, request: Request) -> bytes:
    response = ResponseObject(request, answer.id, answer.model, answer.created)
    if request.compact:
        text = "\n".join(part.text for part in answer.content if isinstance(part, Text))
        if request.compact == "window":
            return msgspec.json.encode(response.window(text, answer.usage))
        output: list[Any] = [compaction(text, response.item_id(COMPACTION, 0))]
    else:
        output = encode_output(answer.content, response)
    return msgspec.json.encode(response.finished(answer.stop, output, answer.usage))


def encode_output(content: tuple[Part, ...], response: ResponseObject) -> list[Any]:
    """Neighbouring texts are one message's parts; every other part is an item of its own."""
    items: list[Any] = []
    spoken: list[Part] = []
    for part in content:
        if isinstance(part, Text | Refusal):
            spoken.append(part)
            continue
        if spoken:
            items.append(encode_message(spoken, response.item_id("message", len(items))))
            spoken = []
        if (item := encode_item(part, len(items), response)) is not None:
            items.append(item)
    if spoken:
        items.append(encode_message(spoken, response.item_id("message", len(items))))
    return items


def encode_item(part: Part, index: int, response: ResponseObject) -> Any:
    if isinstance(part, ToolCall):
        call = original_call(part, response.tools)
        kind = call_kind(call)
        return encode_call(call, response.item_id(kind, index))
    if isinstance(part, Thinking):
        return encode_reasoning(part, response.item_id("reasoning", index))
    return encode_own(part) if isinstance(part, Unknown) else None


def call_kind(call: ToolCall) -> str:
    """The type of the item a call becomes."""
    if call.kind == "shell":
        return "shell_call" if call.name == "shell" else "local_shell_call"
    return {"custom": "custom_tool_call", "patch": "apply_patch_call"}.get(call.kind, "function_call")
