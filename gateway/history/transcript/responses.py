"""OpenAI Responses bodies as turns of blocks: each item of the input, and of the output, is a turn of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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

SHOWN_ELSEWHERE = ("model", "input", "tools", "instructions", "stream")


def read_request(body: Mapping[str, Any], window: slice) -> Transcript:
    given = body.get("input")
    items = given if isinstance(given, list) else [] if given is None else [{"role": "user", "content": given}]
    first = window.indices(len(items))[0]
    instructions = body.get("instructions")
    return Transcript(
        system=(text_block("text", "instructions", instructions),) if instructions else (),
        tools=tuple(read_tool(as_mapping(tool)) for tool in as_list(body.get("tools"))),
        turns=tuple(read_item(item, number) for number, item in enumerate(items[window], first + 1)),
        total=len(items),
        settings=setting_pairs(body, SHOWN_ELSEWHERE),
    )


def read_answer(message: Mapping[str, Any]) -> tuple[Turn, ...]:
    """The accumulated response, one turn for each output item; its error, if any, last."""
    turns = [read_item(item, 0) for item in as_list(message.get("output"))]
    error = message.get("error")
    if error:
        turns.append(Turn("error", 0, (unknown_block(error),)))
    return tuple(turns) or (Turn("answer", 0, (unknown_block(message),)),)


def read_item(item: object, number: int) -> Turn:
    fields = as_mapping(item)
    kind = as_text(fields.get("type")) or "message"
    if kind == "message" and fields:
        return Turn(
            as_text(fields.get("role")) or "unknown", number, tuple(content_blocks(fields.get("content"), read_part))
        )
    if kind == "reasoning":
        return Turn("assistant", number, (reasoning(fields),))
    if kind in ("function_call", "custom_tool_call"):
        arguments = fields.get("arguments", fields.get("input"))
        name = as_text(fields.get("name")) or "(no name)"
        identity = as_text(fields.get("call_id"))
        call = text_block("tool_use", name, as_text(arguments), note=identity, call=identity, value=arguments)
        return Turn("assistant", number, (call,))
    if kind.endswith("_output") and "output" in fields:
        return Turn("tool", number, (output(fields, kind),))
    if kind.endswith("_call"):
        return Turn("assistant", number, (own_call(fields, kind),))
    return Turn("item", number, (unknown_block(item),))


def own_call(fields: Mapping[str, Any], kind: str) -> Block:
    """A tool of the provider's own, such as `web_search_call`: everything it says but what it is."""
    shown_elsewhere = ["type", "id", "status", "call_id"]
    picture = fields.get("result") if kind == "image_generation_call" else None
    pictures = (
        (media_block("image", f"image/{as_text(fields.get('output_format')) or 'png'}", picture),) if picture else ()
    )
    given = {
        key: value
        for key, value in fields.items()
        if key not in shown_elsewhere and (picture is None or value is not picture)
    }
    identity = as_text(fields.get("call_id") or fields.get("id"))
    note = " · ".join(part for part in (as_text(fields.get("status")), identity) if part)
    block = text_block("tool_use", kind.removesuffix("_call"), pretty(given), note=note, call=identity, value=given)
    return replace(block, children=pictures)


def read_part(part: object) -> Block:
    fields = as_mapping(part)
    kind = fields.get("type")
    if kind in ("input_text", "output_text", "text", "summary_text"):
        return plain_text_block(fields.get("text"))
    if kind == "refusal":
        return text_block("refusal", "refusal", fields.get("refusal"))
    if kind == "input_image":
        return image_block(as_text(fields.get("image_url")) or as_text(fields.get("file_id")))
    if kind == "input_file":
        return media_block("file", fields.get("filename"), fields.get("file_data"), as_text(fields.get("file_id")))
    return unknown_block(part)


def reasoning(fields: Mapping[str, Any]) -> Block:
    parts = [*as_list(fields.get("summary")), *as_list(fields.get("content"))]
    text = "\n\n".join(as_text(as_mapping(part).get("text")) for part in parts)
    encrypted = as_text(fields.get("encrypted_content"))
    note = f"{len(encrypted):,} characters encrypted" if encrypted else ""
    return text_block("thinking", "reasoning", text, note=note)


def output(fields: Mapping[str, Any], kind: str) -> Block:
    result = fields.get("output")
    identity = as_text(fields.get("call_id"))
    label = "tool result" if kind in ("function_call_output", "custom_tool_call_output") else kind.replace("_", " ")
    if isinstance(result, list):
        return Block(
            "tool_result", label, note=identity, children=tuple(content_blocks(result, read_part)), call=identity
        )
    return text_block("tool_result", label, result, note=identity, call=identity)


def read_tool(fields: Mapping[str, Any]) -> Tool:
    kind = as_text(fields.get("type"))
    return Tool(
        name=as_text(fields.get("name")) or kind or "(no name)",
        kind=kind,
        description=as_text(fields.get("description")),
        schema=pretty(fields["parameters"]) if "parameters" in fields else pretty(fields),
    )
