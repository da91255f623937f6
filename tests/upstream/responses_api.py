"""Answers in the shape of OpenAI's Responses API: items, their events in order, and the completed response."""

from __future__ import annotations

from typing import Any

from tests.upstream.chat_api import CREATED, arguments
from tests.upstream.content import Content, cut
from tests.upstream.messages_api import event

ENCRYPTED = "ZmFrZS1lbmNyeXB0ZWQ" * 12


def usage(content: Content) -> dict[str, Any]:
    total = content.input_tokens + content.cached_tokens
    return {
        "input_tokens": total,
        "input_tokens_details": {"cached_tokens": content.cached_tokens},
        "output_tokens": content.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 20 if content.thinking else 0},
        "total_tokens": total + content.output_tokens,
    }


def items(content: Content, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if content.thinking:
        summary = [{"type": "summary_text", "text": content.thinking}]
        found.append(
            {"id": f"rs_{number:024d}", "type": "reasoning", "summary": summary, "encrypted_content": ENCRYPTED}
        )
    if not content.calls:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": content.full_text()}
        found.append(
            {
                "id": f"msg_{number:024d}",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        )
    for index, call in enumerate(content.calls):
        base = {"status": "completed", "call_id": f"call_{number:08d}{index:04d}", "name": call.name}
        if isinstance(call.arguments, str):
            item = {"id": f"ctc_{number:08d}{index:04d}", "type": "custom_tool_call", **base, "input": call.arguments}
        else:
            item = {"id": f"fc_{number:08d}{index:04d}", "type": "function_call", **base}
            item["arguments"] = arguments(call.arguments)
        found.append(item)
    return found


def response(content: Content, body: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        "id": f"resp_{number:032d}",
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "background": False,
        "completed_at": CREATED + 1,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body.get("model", "gpt-5.5"),
        "output": items(content, number),
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": 1.0,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage(content),
        "user": None,
        "metadata": body.get("metadata") or {},
    }


class Sequence:
    """Numbers the events as they are made."""

    def __init__(self) -> None:
        self.events: list[bytes] = []

    def add(self, name: str, **fields: Any) -> None:
        self.events.append(event(name, {"type": name, "sequence_number": len(self.events), **fields}))


def stream(content: Content, body: dict[str, Any], number: int) -> list[bytes]:
    whole = response(content, body, number)
    begun = {**whole, "status": "in_progress", "completed_at": None, "output": [], "usage": None}
    sequence = Sequence()
    sequence.add("response.created", response=begun)
    sequence.add("response.in_progress", response=begun)
    for index, item in enumerate(whole["output"]):
        ITEM_EVENTS[item["type"]](sequence, index, item, content)
        sequence.add("response.output_item.done", output_index=index, item=item)
    sequence.add("response.completed", response=whole)
    return sequence.events


def reasoning_events(sequence: Sequence, index: int, item: dict[str, Any], content: Content) -> None:
    at = {"item_id": item["id"], "output_index": index, "summary_index": 0}
    sequence.add("response.output_item.added", output_index=index, item={**item, "summary": []})
    sequence.add("response.reasoning_summary_part.added", **at, part={"type": "summary_text", "text": ""})
    for piece in cut(content.thinking or "", 12):
        sequence.add("response.reasoning_summary_text.delta", **at, delta=piece)
    sequence.add("response.reasoning_summary_text.done", **at, text=content.thinking)
    sequence.add("response.reasoning_summary_part.done", **at, part=item["summary"][0])


def message_events(sequence: Sequence, index: int, item: dict[str, Any], content: Content) -> None:
    at = {"item_id": item["id"], "output_index": index, "content_index": 0}
    part = item["content"][0]
    begun = {**item, "status": "in_progress", "content": []}
    sequence.add("response.output_item.added", output_index=index, item=begun)
    sequence.add("response.content_part.added", **at, part={**part, "text": ""})
    for piece in content.text_pieces():
        sequence.add("response.output_text.delta", **at, delta=piece, logprobs=[], obfuscation="abcd")
    sequence.add("response.output_text.done", **at, text=part["text"], logprobs=[])
    sequence.add("response.content_part.done", **at, part=part)


def call_events(sequence: Sequence, index: int, item: dict[str, Any], content: Content) -> None:
    at = {"item_id": item["id"], "output_index": index}
    field, name = (
        ("arguments", "response.function_call_arguments")
        if item["type"] == "function_call"
        else ("input", "response.custom_tool_call_input")
    )
    begun = {**item, "status": "in_progress", field: ""}
    sequence.add("response.output_item.added", output_index=index, item=begun)
    for piece in cut(item[field], 10):
        sequence.add(f"{name}.delta", **at, delta=piece)
    sequence.add(f"{name}.done", **at, **{field: item[field]})


ITEM_EVENTS = {
    "reasoning": reasoning_events,
    "message": message_events,
    "function_call": call_events,
    "custom_tool_call": call_events,
}
