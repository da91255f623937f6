"""Answers in the shape of the Anthropic Messages API."""

from __future__ import annotations

import json
from typing import Any

from tests.upstream.content import SIGNATURE, Content, cut

Pairs = list[tuple[bytes, bytes]]


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def event(name: str, payload: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + dump(payload) + b"\n\n"


def headers(request_id: str) -> Pairs:
    pairs = {
        "request-id": request_id,
        "anthropic-organization-id": "00000000-0000-4000-8000-000000000001",
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
        "anthropic-ratelimit-requests-reset": "2030-01-01T00:00:00Z",
        "anthropic-ratelimit-input-tokens-limit": "2000000",
        "anthropic-ratelimit-input-tokens-remaining": "1999000",
        "anthropic-ratelimit-output-tokens-limit": "400000",
        "anthropic-ratelimit-output-tokens-remaining": "400000",
        "anthropic-ratelimit-unified-status": "allowed",
        "anthropic-ratelimit-unified-5h-status": "allowed",
        "anthropic-ratelimit-unified-5h-reset": "1893456000",
        "anthropic-ratelimit-unified-5h-utilization": "0.42",
        "anthropic-ratelimit-unified-7d-status": "allowed",
        "anthropic-ratelimit-unified-7d-reset": "1893456000",
        "anthropic-ratelimit-unified-7d-utilization": "0.17",
        "anthropic-ratelimit-unified-representative-claim": "five_hour",
        "anthropic-ratelimit-unified-fallback-percentage": "0.5",
        "anthropic-ratelimit-unified-reset": "1893456000",
        "anthropic-ratelimit-unified-overage-status": "rejected",
        "anthropic-ratelimit-unified-overage-disabled-reason": "org_level_disabled",
        "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
        "server": "cloudflare",
        "cf-ray": "dca8593dd62d41dd-FRA",
        "via": "1.1 google",
        "x-envoy-upstream-service-time": "812",
        "set-cookie": "__cf_bm=fake; path=/; HttpOnly; Secure",
    }
    return [(name.encode(), value.encode()) for name, value in pairs.items()]


def usage(content: Content, output: int) -> dict[str, Any]:
    return {
        "input_tokens": content.input_tokens,
        "cache_creation_input_tokens": content.written_tokens,
        "cache_read_input_tokens": content.cached_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": content.written_tokens, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


def blocks(content: Content, number: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if content.thinking:
        found.append({"type": "thinking", "thinking": content.thinking, "signature": SIGNATURE})
    found.append({"type": "text", "text": content.full_text()})
    for index, call in enumerate(content.calls):
        found.append(
            {"type": "tool_use", "id": f"toolu_{number:08d}{index:04d}", "name": call.name, "input": call.arguments}
        )
    return found


def message(content: Content, model: str, number: int) -> dict[str, Any]:
    return {
        "model": model,
        "id": f"msg_{number:024d}",
        "type": "message",
        "role": "assistant",
        "content": blocks(content, number),
        "stop_reason": "tool_use" if content.calls else "end_turn",
        "stop_sequence": None,
        "usage": usage(content, content.output_tokens),
    }


def stream(content: Content, model: str, number: int) -> list[bytes]:
    whole = message(content, model, number)
    start = {**whole, "content": [], "stop_reason": None, "usage": usage(content, 1)}
    events = [event("message_start", {"type": "message_start", "message": start})]
    for index, block in enumerate(whole["content"]):
        begin, deltas = block_deltas(block, content)
        events.append(
            event("content_block_start", {"type": "content_block_start", "index": index, "content_block": begin})
        )
        if index == 0:
            events.append(event("ping", {"type": "ping"}))
        for delta in deltas:
            payload = {"type": "content_block_delta", "index": index, "delta": delta}
            events.append(event("content_block_delta", payload))
        events.append(event("content_block_stop", {"type": "content_block_stop", "index": index}))
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
        "usage": {name: value for name, value in whole["usage"].items() if name.endswith("_tokens")},
        "context_management": {"applied_edits": []},
    }
    return [*events, event("message_delta", end), event("message_stop", {"type": "message_stop"})]


def block_deltas(block: dict[str, Any], content: Content) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if block["type"] == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in cut(block["thinking"], 12)]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {"type": "thinking", "thinking": "", "signature": ""}, deltas
    if block["type"] == "text":
        texts = content.text_pieces()
        return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in texts]
    pieces = ["", *cut(json.dumps(block["input"], ensure_ascii=False), 10)]
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_payload(status: int, text: str | None, request_id: str) -> dict[str, Any]:
    kind = ERROR_TYPES.get(status, "api_error")
    known = {
        529: "Overloaded",
        413: "Request exceeds the maximum size",
        429: "This request would exceed your rate limit",
    }
    reason = {"type": kind, "message": text or known.get(status, f"fake error {status}")}
    return {"type": "error", "error": reason, "request_id": request_id}


def models() -> dict[str, Any]:
    rows = [
        {"type": "model", "id": name, "display_name": name.title(), "created_at": "2026-01-01T00:00:00Z"}
        for name in ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
    ]
    return {"data": rows, "has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]}


def batch(number: int) -> dict[str, Any]:
    counts = {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    return {
        "id": f"msgbatch_{number:024d}",
        "type": "message_batch",
        "processing_status": "in_progress",
        "request_counts": counts,
        "created_at": "2026-01-01T00:00:00Z",
        "expires_at": "2026-01-02T00:00:00Z",
        "ended_at": None,
        "archived_at": None,
        "cancel_initiated_at": None,
        "results_url": None,
    }


def file(number: int, size: int) -> dict[str, Any]:
    return {
        "id": f"file_{number:024d}",
        "type": "file",
        "filename": "fake.txt",
        "mime_type": "text/plain",
        "size_bytes": size,
        "created_at": "2026-01-01T00:00:00Z",
        "downloadable": False,
    }
