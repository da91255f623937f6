"""Answers as Anthropic streams them, of content blocks and a usage."""

from __future__ import annotations

import random
from typing import Any

from gateway.dialects.json_values import JSONObject, write_json

PIECE = 60


def event(name: str, **payload: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + write_json({"type": name, **payload}) + b"\n\n"


def message_stream(model: str, content: list[JSONObject], usage: JSONObject, stop_reason: str) -> list[bytes]:
    """Chunks, one for each event."""
    number = f"msg_{random.getrandbits(96):024x}"
    start: JSONObject = {
        "id": number,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
    }
    chunks = [event("message_start", message={**start, "usage": {**usage, "output_tokens": 1}})]
    for index, block in enumerate(content):
        chunks += block_events(index, block)
    end = {"stop_reason": stop_reason, "stop_sequence": None}
    chunks.append(event("message_delta", delta=end, usage={"output_tokens": usage["output_tokens"]}))
    chunks.append(event("message_stop"))
    return chunks


def block_events(index: int, block: JSONObject) -> list[bytes]:
    if block["type"] == "tool_use":
        opened, text, kind, key = (
            {**block, "input": {}},
            write_json(block["input"]).decode(),
            "input_json_delta",
            "partial_json",
        )
    else:
        opened, text, kind, key = {**block, "text": ""}, block["text"], "text_delta", "text"
    deltas = [
        event("content_block_delta", index=index, delta={"type": kind, key: text[at : at + PIECE]})
        for at in range(0, len(text), PIECE)
    ]
    started = event("content_block_start", index=index, content_block=opened)
    return [started, *deltas, event("content_block_stop", index=index)]


def error_body(kind: str, message: str) -> bytes:
    return write_json({"type": "error", "error": {"type": kind, "message": message}})
