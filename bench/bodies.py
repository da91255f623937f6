"""Request bodies shaped like Claude Code's: its headers, system prompt and tools from a captured exchange, and a long
conversation of tool calls and their results.

`########` in the last message is replaced by the load generator, so that no two requests are the same: else the
history would find every request stored already, and recording would look cheaper than it is.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

CAPTURE = Path(__file__).parents[1] / "tests" / "transcripts" / "captures" / "claude_three_turns.jsonl"
DROPPED_HEADERS = ("connection", "authorization", "accept-encoding")
RESULT_LINES = 60
WORDS = ("return", "import", "value", "index", "error", "result", "request", "stream", "buffer", "path", "config")


def captured() -> dict[str, Any]:
    lines = [line for line in CAPTURE.read_bytes().split(b"\n") if line]
    request: dict[str, Any] = json.loads(lines[-1])["request"]
    return request


def headers() -> list[str]:
    """Header lines as Claude Code sends them, with a key of no worth."""
    kept = [f"{name}: {value}" for name, value in captured()["headers"] if name.lower() not in DROPPED_HEADERS]
    return [*kept, "x-api-key: sk-ant-api03-bench"]


def small(model: str, *, stream: bool) -> bytes:
    question = {"role": "user", "content": "Say something about request ########."}
    return encode({"model": model, "max_tokens": 1024, "stream": stream, "messages": [question]})


def conversation(model: str, size: int) -> bytes:
    """A late turn of about `size` bytes, not streaming."""
    words = random.Random(size)
    first = captured()["body"]
    messages = list(first["messages"])
    last = {"role": "user", "content": [{"type": "text", "text": "Go on with step ########."}]}
    written = len(encode(first))
    while written < size:
        turn = one_turn(words, len(messages))
        messages += turn
        written += sum(len(encode(message)) + 1 for message in turn)
    # `model` first, where Claude Code has it.
    return encode(
        {"model": model, **{k: v for k, v in first.items() if k != "model"}}
        | {"stream": False, "messages": [*messages, last]}
    )


def one_turn(words: random.Random, number: int) -> list[dict[str, Any]]:
    """A tool call with a sentence before it, and about 3 kB of a file as its result."""
    text = "\n".join(f"{line:6}\t{' '.join(words.choices(WORDS, k=6))}" for line in range(1, RESULT_LINES + 1))
    use = {"type": "tool_use", "id": f"toolu_{number:024}", "name": "Read", "input": {"file_path": f"/app/{number}.py"}}
    said = {"type": "text", "text": " ".join(words.choices(WORDS, k=20))}
    result = {"tool_use_id": use["id"], "type": "tool_result", "content": text}
    return [{"role": "assistant", "content": [said, use]}, {"role": "user", "content": [result]}]


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
