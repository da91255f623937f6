"""OpenAI Chat Completions bodies as turns of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.history.transcript.blocks import (
    Block,
    Tool,
    Transcript,
    Turn,
    as_list,
    as_mapping,
    as_text,
    content_blocks,
    image_block,
    media_block,
    plain_text_block,
    pretty,
    setting_pairs,
    text_block,
    unknown_block,
)

SHOWN_ELSEWHERE = ("model", "messages", "tools", "functions", "stream")


def read_request(body: Mapping[str, Any], window: slice) -> Transcript:
    messages = as_list(body.get("messages"))
    first = window.indices(len(messages))[0]
    tools = [*as_list(body.get("tools")), *as_list(body.get("functions"))]
    return Transcript(
        tools=tuple(read_tool(as_mapping(tool)) for tool in tools),
        turns=tuple(read_message(message, number) for number, message in enumerate(messages[window], first + 1)),
        total=len(messages),
        settings=setting_pairs(body, SHOWN_ELSEWHERE),
    )


def read_answer(message: Mapping[str, Any]) -> tuple[Turn, ...]:
    """The accumulated completion, one turn for each choice, or an error body."""
    choices = as_list(message.get("choices"))
    if not choices:
        return (Turn("error" if "error" in message else "answer", 0, (unknown_block(message),)),)
    return tuple(read_choice(as_mapping(choice)) for choice in choices)


def read_choice(choice: Mapping[str, Any]) -> Turn:
    turn = read_message(choice.get("message"), 0)
    reason = as_text(choice.get("finish_reason"))
    return Turn(turn.role, 0, turn.blocks, f"finish reason: {reason}" if reason else "")


def read_message(message: object, number: int) -> Turn:
    fields = as_mapping(message)
    if not fields:
        return Turn("unknown", number, (unknown_block(message),))
    role = as_text(fields.get("role")) or "unknown"
    content = fields.get("content")
    if role in ("tool", "function"):
        identity = as_text(fields.get("tool_call_id") or fields.get("name"))
        result = content if isinstance(content, str) else pretty(content)
        return Turn(role, number, (text_block("tool_result", "tool result", result, note=identity, call=identity),))
    blocks = [*thoughts(fields), *content_blocks(content, read_part), *refusal(fields), *calls(fields)]
    return Turn(role, number, tuple(blocks), as_text(fields.get("name")))


def thoughts(fields: Mapping[str, Any]) -> list[Block]:
    """Reasoning, under the names that OpenAI-compatible hosts give it."""
    text = fields.get("reasoning_content") or fields.get("reasoning")
    return [text_block("thinking", "reasoning", text)] if text else []


def refusal(fields: Mapping[str, Any]) -> list[Block]:
    return [text_block("refusal", "refusal", fields["refusal"])] if fields.get("refusal") else []


def read_part(part: object) -> Block:
    fields = as_mapping(part)
    kind = fields.get("type")
    if kind == "text":
        return plain_text_block(fields.get("text"))
    if kind == "refusal":
        return text_block("refusal", "refusal", fields.get("refusal"))
    if kind == "image_url":
        return image_block(as_text(as_mapping(fields.get("image_url")).get("url")))
    if kind == "input_audio":
        audio = as_mapping(fields.get("input_audio"))
        return media_block("audio", audio.get("format"), audio.get("data"))
    if kind == "file":
        file = as_mapping(fields.get("file"))
        return media_block("file", file.get("filename"), file.get("file_data"), as_text(file.get("file_id")))
    return unknown_block(part)


def calls(fields: Mapping[str, Any]) -> list[Block]:
    found = [read_call(as_mapping(call)) for call in as_list(fields.get("tool_calls"))]
    old = as_mapping(fields.get("function_call"))
    return [*found, call_block(old, "")] if old else found


def read_call(call: Mapping[str, Any]) -> Block:
    inner = as_mapping(call.get("function") or call.get("custom"))
    return call_block(inner, as_text(call.get("id")))


def call_block(inner: Mapping[str, Any], identity: str) -> Block:
    arguments = inner.get("arguments", inner.get("input"))
    name = as_text(inner.get("name")) or "(no name)"
    return text_block("tool_use", name, as_text(arguments), note=identity, call=identity, value=arguments)


def read_tool(fields: Mapping[str, Any]) -> Tool:
    inner = as_mapping(fields.get("function") or fields.get("custom")) or fields
    return Tool(
        name=as_text(inner.get("name")) or as_text(fields.get("type")) or "(no name)",
        kind=as_text(fields.get("type")),
        description=as_text(inner.get("description")),
        schema=pretty(inner["parameters"]) if "parameters" in inner else pretty(fields),
    )
