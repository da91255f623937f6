"""Anthropic Messages bodies as turns of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.history.transcript.blocks import (
    NESTING,
    Block,
    Tool,
    Transcript,
    Turn,
    as_list,
    as_mapping,
    as_text,
    media_block,
    plain_text_block,
    pretty,
    setting_pairs,
    text_block,
    unknown_block,
)

SHOWN_ELSEWHERE = ("model", "system", "tools", "messages", "stream")


def read_request(body: Mapping[str, Any], window: slice) -> Transcript:
    messages = as_list(body.get("messages"))
    first = window.indices(len(messages))[0]
    return Transcript(
        system=content_blocks(body.get("system")),
        tools=tuple(read_tool(as_mapping(tool)) for tool in as_list(body.get("tools"))),
        turns=tuple(read_message(message, number) for number, message in enumerate(messages[window], first + 1)),
        total=len(messages),
        settings=setting_pairs(body, SHOWN_ELSEWHERE),
    )


def read_answer(message: Mapping[str, Any]) -> tuple[Turn, ...]:
    """The accumulated message, or an error body."""
    if message.get("type") == "error" or "content" not in message:
        return (Turn("error" if message.get("type") == "error" else "answer", 0, (unknown_block(message),)),)
    return (read_message(message, 0),)


def read_message(message: object, number: int) -> Turn:
    fields = as_mapping(message)
    if not fields:
        return Turn("unknown", number, (unknown_block(message),))
    extras = {key: value for key, value in fields.items() if key in ("output_config", "clear_at")}
    return Turn(
        role=as_text(fields.get("role")) or "unknown",
        number=number,
        blocks=content_blocks(fields.get("content")),
        note=", ".join(f"{key}: {as_text(value)}" for key, value in extras.items()),
    )


def content_blocks(content: object, depth: int = 0) -> tuple[Block, ...]:
    if content is None:
        return ()
    if isinstance(content, list):
        return tuple(read_block(block, depth) for block in content)
    return (plain_text_block(content),)


def read_block(block: object, depth: int = 0) -> Block:
    fields = as_mapping(block)
    kind = fields.get("type")
    note = "cache breakpoint" if fields.get("cache_control") else ""
    if kind == "text":
        return noted(plain_text_block(fields.get("text")), note, fields)
    if kind == "thinking":
        return text_block("thinking", "thinking", fields.get("thinking"), note=note)
    if kind == "redacted_thinking":
        return Block(
            "thinking", "redacted thinking", note=f"{len(as_text(fields.get('data'))):,} characters, encrypted"
        )
    if kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        return tool_call(fields, note)
    if isinstance(kind, str) and kind.endswith("tool_result"):
        return tool_result(fields, note, depth)
    if kind in ("image", "document"):
        return media(fields)
    if kind in ("web_search_result", "search_result"):
        return link(fields)
    return unknown_block(block)


def link(fields: Mapping[str, Any]) -> Block:
    """A page that a search found: its title and address; what it says is for the model alone, or in its content."""
    address = as_text(fields.get("url") or fields.get("source"))
    title = as_text(fields.get("title")) or address
    return text_block("link", title, address, folded=False, note=as_text(fields.get("page_age")))


def noted(block: Block, note: str, fields: Mapping[str, Any]) -> Block:
    """A text block with its cache breakpoint marked and its citations below it."""
    citations = fields.get("citations")
    below = (text_block("unknown", "citations", pretty(citations), folded=True),) if citations else ()
    return replace(block, note=note, children=below)


def tool_call(fields: Mapping[str, Any], note: str) -> Block:
    name = as_text(fields.get("name")) or "(no name)"
    identity = " · ".join(part for part in (as_text(fields.get("id")), note) if part)
    given = fields.get("input")
    return text_block("tool_use", name, pretty(given), note=identity, call=as_text(fields.get("id")), value=given)


def tool_result(fields: Mapping[str, Any], note: str, depth: int) -> Block:
    failed = fields.get("is_error") is True
    kind = as_text(fields.get("type"))
    label = "tool result" if kind == "tool_result" else kind.replace("_", " ")
    identity = " · ".join(part for part in (as_text(fields.get("tool_use_id")), note) if part)
    content = fields.get("content")
    look, call = "tool_error" if failed else "tool_result", as_text(fields.get("tool_use_id"))
    if isinstance(content, list) and depth < NESTING:
        return Block(look, label, note=identity, children=content_blocks(content, depth + 1), call=call)
    return text_block(look, label, content, note=identity, call=call, value=content)


def media(fields: Mapping[str, Any]) -> Block:
    source = as_mapping(fields.get("source"))
    title = as_text(fields.get("title"))
    place = as_text(source.get("url") or source.get("file_id"))[:200]
    return media_block(
        as_text(fields.get("type")),
        source.get("media_type"),
        source.get("data"),
        " · ".join(filter(None, (title, place))),
    )


def read_tool(fields: Mapping[str, Any]) -> Tool:
    return Tool(
        name=as_text(fields.get("name")) or as_text(fields.get("type")) or "(no name)",
        kind=as_text(fields.get("type")),
        description=as_text(fields.get("description")),
        schema=pretty(fields["input_schema"]) if "input_schema" in fields else pretty(fields),
    )
