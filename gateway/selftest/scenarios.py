"""What the self-test sends and what the built-in provider answers: things that a gateway might touch."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Final

Pairs = tuple[tuple[str, str], ...]
PIECE_SECONDS: Final = 0.02

JSON: Final[Pairs] = (("content-type", "application/json"),)
EVENTS: Final[Pairs] = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))


@dataclass(frozen=True, slots=True)
class Scenario:
    """`pieces` of the answer are sent one by one, a little while apart."""

    name: str
    target: str
    body: bytes
    pieces: tuple[bytes, ...]
    status: int = 200
    request_headers: Pairs = JSON
    answer_headers: Pairs = JSON


def event(name: str, **data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name} | data)}\n\n".encode()


MESSAGE_EVENTS: Final = (
    event("message_start", message={"id": "msg_selftest", "type": "message", "role": "assistant", "content": []}),
    event("ping"),
    event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    *(event("content_block_delta", index=0, delta={"type": "text_delta", "text": f"word {n} "}) for n in range(8)),
    b": a comment that keeps the line awake\n\n",
    event("ping"),
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 16}),
    event("message_stop"),
)
CLAUDE: Final[Pairs] = (
    *JSON,
    ("user-agent", "claude-cli/0.0.0-selftest (external, cli)"),
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "one-2026-01-01,two-2026-02-02,two-2026-02-02"),
    ("x-claude-code-session-id", "00000000-0000-7000-8000-000000000000"),
    ("x-not-known-to-anybody", "kept,  as;it   is"),
)
ASK: Final = b'{"model":"claude-selftest","max_tokens":16,"stream":true,"messages":[{"role":"user","content":"hi"}]}'

SCENARIOS: Final = (
    Scenario(
        "a stream with pings and comments",
        "/v1/messages?beta=true",
        ASK,
        MESSAGE_EVENTS,
        request_headers=CLAUDE,
        answer_headers=(*EVENTS, ("request-id", "req_selftest"), ("anthropic-ratelimit-requests-remaining", "0")),
    ),
    Scenario(
        "odd line ends, unknown events, no last newline",
        "/v1/messages",
        ASK,
        (
            b"event: odd\r\ndata: 1\r\n\r\n",
            b"data: 2\r\rid: 7\n\n\n\n",
            b"retry: 10\n\xef\xbb\xbf: \xff\xfe\n",
            b"data: end",
        ),
        answer_headers=EVENTS,
    ),
    Scenario(
        "an event in pieces of single bytes",
        "/v1/messages",
        ASK,
        (*(bytes([byte]) for byte in event("ping")[:24]), event("ping")[24:], event("message_stop")),
        answer_headers=EVENTS,
    ),
    Scenario(
        "an error with advice for the client",
        "/v1/messages",
        ASK,
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',),
        status=529,
        answer_headers=(*JSON, ("retry-after", "7"), ("x-should-retry", "true"), ("request-id", "req_selftest")),
    ),
    Scenario(
        "a refusal word for word",
        "/v1/messages",
        ASK,
        (b'{"type":"error", "error":{"type":"invalid_request_error","message":"prompt is too long: 1 > 0"}}\n',),
        status=400,
    ),
    Scenario(
        "a compressed answer",
        "/v1/messages",
        ASK.replace(b"true", b"false"),
        (gzip.compress(b'{"type":"message","content":[]}' * 100, mtime=0),),
        answer_headers=(*JSON, ("content-encoding", "gzip"), ("vary", "accept-encoding")),
    ),
    Scenario(
        "a large request, oddly spaced, with a key said twice",
        "/v1/messages",
        b'{ "model" : "claude-selftest","model":"claude-selftest"\n,"x":"\\u00e9\\ud83d\\ude00",'
        b'"messages":[{"role":"user","content":"' + b"0123456789abcdef" * 65_536 + b'"}] }\n',
        (b'{"type":"message","content":[]}',),
        request_headers=CLAUDE,
    ),
    Scenario(
        "counting tokens",
        "/v1/messages/count_tokens?beta=true",
        ASK,
        (b'{"input_tokens":2}',),
        request_headers=CLAUDE,
    ),
    Scenario(
        "a stream of the Responses API",
        "/v1/responses",
        b'{"model":"gpt-selftest","stream":true,"input":"hi"}',
        (
            event("response.created", response={"id": "resp_1", "object": "response", "status": "in_progress"}),
            event("response.output_text.delta", output_index=0, delta="hi"),
            event("response.completed", response={"id": "resp_1", "object": "response", "status": "completed"}),
        ),
        answer_headers=(*EVENTS, ("x-codex-primary-used-percent", "12.5")),
    ),
    Scenario(
        "a stream of Chat Completions",
        "/v1/chat/completions",
        b'{"model":"gpt-selftest","stream":true,"messages":[{"role":"user","content":"hi"}]}',
        (b'data: {"choices":[{"delta":{"content":"h"}}]}\n\n', b'data: {"choices":[]}\n\n', b"data: [DONE]\n\n"),
        answer_headers=EVENTS,
    ),
)
