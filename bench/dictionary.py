"""`python -m bench.dictionary FILE`: make the dictionary that small parts and answers are compressed by.

It holds the frames of what coding agents and providers send (tools with their schemas, skeletons of requests, events of
streams) without what is said in them, most often met last. `gateway/history/dictionaries/1.zst` was made by this and is
never made again: what is stored is read by it. A better one gets a number of its own.

The session that `bench.recorded` measures is left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import zstandard

MEASURED = "claude_three_turns"
SMALLEST_NEWS = 18
"""Bytes of a part compressed by those before it, from which on it is worth its room."""
SAID = {
    "arguments", "call_id", "content", "data", "definition", "description", "encrypted_content", "id", "input",
    "instructions", "item_id", "metadata", "obfuscation", "output", "partial_json", "prompt_cache_key",
    "safety_identifier", "session_id", "signature", "text", "thinking", "tool_use_id", "user_id",
    "x-codex-turn-metadata",
}  # fmt: skip
"""Members whose text is another in each session."""
CHAT = (
    b'data: {"id":"chatcmpl-","object":"chat.completion.chunk","created":17,"model":"gpt-5","service_tier":"default",'
    b'"system_fingerprint":"fp_","choices":[{"index":0,"delta":{"role":"assistant","content":"","tool_calls":[{"index":0,'
    b'"id":"call_","type":"function","function":{"name":"","arguments":""}}],"refusal":null},"logprobs":null,'
    b'"finish_reason":null}],"usage":null,"obfuscation":""}\n\n'
    b'data: {"id":"chatcmpl-","object":"chat.completion.chunk","created":17,"model":"gpt-5","service_tier":"default",'
    b'"system_fingerprint":"fp_","choices":[{"index":0,"delta":{"content":""},"logprobs":null,"finish_reason":null}],'
    b'"usage":null}\n\ndata: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":1,"prompt_tokens_details":'
    b'{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
    b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}\n\ndata: [DONE]\n\n'
)
WHOLE = (
    b'{"id":"msg_01","type":"message","role":"assistant","model":"claude-","content":[{"type":"thinking","thinking":"",'
    b'"signature":""},{"type":"text","text":""},{"type":"tool_use","id":"toolu_01","name":"Bash","input":{"command":"",'
    b'"description":""}}],"stop_reason":"tool_use","stop_sequence":null}'
    b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_01"}'
    b'{"role":"user","content":[{"tool_use_id":"toolu_01","type":"tool_result","content":"","is_error":false}]}'
    b'"cache_control":{"type":"ephemeral","ttl":"1h"}'
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.dictionary", description=__doc__)
    parser.add_argument("file", type=Path, help="where to write it")
    file = parser.parse_args().file
    content = made()
    file.write_bytes(zstandard.ZstdCompressor(level=19).compress(content))
    print(f"{len(content)} bytes, {file.stat().st_size} in the file")


def made() -> bytes:
    from tests.transcripts.captured import exchanges

    captured = [one for one in exchanges() if not one.name.startswith(MEASURED)]
    agents = {name: [one for one in captured if one.name.startswith(name)] for name in ("codex", "claude")}
    parts = [part for name in agents for part in request_parts(agents[name])]
    frames = [frame for name in agents for frame in answer_frames(agents[name])]
    codex = [frame for frame in frames if b'"type":"response.' in frame]
    return b"".join((*parts, *codex, CHAT, WHOLE, *(frame for frame in frames if frame not in codex)))


def request_parts(exchanges: Iterable[Any]) -> list[bytes]:
    """Skeletons and parts, each kind of them once."""
    found: dict[bytes, None] = {}
    for exchange in exchanges:
        body = json.loads(exchange.request_body)
        lists = {
            name: body[name] for name in ("input", "messages", "system", "tools") if isinstance(body.get(name), list)
        }
        parts = [part for name in lists for part in lists[name]]
        emptied: dict[str, Any] = {name: [] for name in lists}
        found |= dict.fromkeys(written(one) for one in [body | emptied, *parts])
    return without_twins(found)


def answer_frames(exchanges: Iterable[Any]) -> list[bytes]:
    """The kinds of events there are, each once."""
    found: dict[bytes, None] = {}
    for exchange in exchanges:
        for event in exchange.response_body.split(b"\n\n") if exchange.is_stream else ():
            name, _, data = event.partition(b"data: ")
            if data.startswith(b"{"):
                found[name + b"data: " + written(json.loads(data)) + b"\n\n"] = None
    return without_twins(found)


def written(value: Any) -> bytes:
    return json.dumps(silenced(value), separators=(",", ":")).encode()


def silenced(value: Any, name: str = "") -> Any:
    """The same with nothing said in it."""
    if isinstance(value, str):
        return "" if name in SAID or name == "delta" else value
    if isinstance(value, list):
        # An answer's tools are those of the request.
        return [] if name == "tools" else [silenced(one) for one in value]
    if isinstance(value, dict):
        return {name: silenced(one, name) for name, one in value.items()}
    return value


def without_twins(parts: Iterable[bytes]) -> list[bytes]:
    """Those that are not nearly what stands before them."""
    kept: list[bytes] = []
    for part in parts:
        dictionary = zstandard.ZstdCompressionDict(b"".join(kept), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        if len(zstandard.ZstdCompressor(level=9, dict_data=dictionary).compress(part)) > SMALLEST_NEWS:
            kept.append(part)
    return kept


if __name__ == "__main__":
    main()
