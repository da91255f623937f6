"""Answers in the shape of OpenAI's Chat Completions API, its embeddings and model list."""

from __future__ import annotations

import json
from typing import Any

from tests.upstream.content import Content, cut
from tests.upstream.messages_api import Pairs, dump

CREATED = 1_795_230_250


def headers(request_id: str) -> Pairs:
    pairs = {
        "x-request-id": request_id,
        "openai-organization": "org-fake",
        "openai-processing-ms": "345",
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-limit-tokens": "2000000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-remaining-tokens": "1999000",
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-reset-tokens": "30ms",
        "cf-ray": "ccd4f672574d4a60-FRA",
        "server": "cloudflare",
    }
    return [(name.encode(), value.encode()) for name, value in pairs.items()]


def usage(content: Content) -> dict[str, Any]:
    prompt = content.input_tokens + content.cached_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": content.output_tokens,
        "total_tokens": prompt + content.output_tokens,
        "prompt_tokens_details": {"cached_tokens": content.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def arguments(call_arguments: dict[str, Any] | str) -> str:
    return call_arguments if isinstance(call_arguments, str) else json.dumps(call_arguments, ensure_ascii=False)


def completion(content: Content, model: str, number: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": content.full_text(), "refusal": None}
    if content.thinking:
        message["reasoning_content"] = content.thinking
    if content.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{number:08d}{index:04d}",
                "type": "function",
                "function": {"name": call.name, "arguments": arguments(call.arguments)},
            }
            for index, call in enumerate(content.calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(content)}
    return {**envelope("chat.completion", model, number), "choices": [choice], "usage": usage(content)}


def envelope(kind: str, model: str, number: int) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number:024d}",
        "object": kind,
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_fake",
    }


def finish_reason(content: Content) -> str:
    return "tool_calls" if content.calls else "stop"


def stream(content: Content, model: str, number: int, *, include_usage: bool) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"reasoning_content": piece} for piece in cut(content.thinking or "", 12) if piece]
    deltas += [{"content": piece} for piece in content.text_pieces()]
    for index, call in enumerate(content.calls):
        function = {"name": call.name, "arguments": ""}
        begin = {"index": index, "id": f"call_{number:08d}{index:04d}", "type": "function", "function": function}
        deltas.append({"tool_calls": [begin]})
        for piece in cut(arguments(call.arguments), 10):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    chunks = [chunk(delta, None, model, number, include_usage) for delta in deltas]
    chunks.append(chunk({}, finish_reason(content), model, number, include_usage))
    if include_usage:
        last = {**envelope("chat.completion.chunk", model, number), "choices": [], "usage": usage(content)}
        chunks.append(b"data: " + dump(last) + b"\n\n")
    return [*chunks, b"data: [DONE]\n\n"]


def chunk(delta: dict[str, Any], finish: str | None, model: str, number: int, include_usage: bool) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    payload = {**envelope("chat.completion.chunk", model, number), "choices": [choice]}
    if include_usage:
        payload["usage"] = None
    return b"data: " + dump(payload) + b"\n\n"


def embeddings(model: str, size: int) -> dict[str, Any]:
    vector = {"object": "embedding", "index": 0, "embedding": [0.25, -0.5, 0.125]}
    tokens = max(1, size // 4)
    return {
        "object": "list",
        "data": [vector],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def models() -> dict[str, Any]:
    names = ("gpt-5.5", "gpt-5.5-mini")
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": CREATED, "owned_by": "fake"} for name in names],
    }


def error_payload(status: int, text: str | None) -> dict[str, Any]:
    kind = {401: "invalid_request_error", 429: "requests", 400: "invalid_request_error"}.get(status, "server_error")
    code = {401: "invalid_api_key", 429: "rate_limit_exceeded", 404: "model_not_found"}.get(status)
    return {"error": {"message": text or f"fake error {status}", "type": kind, "param": None, "code": code}}
