"""An hour of work as the gateway would see it: Claude Code on one repository, Codex on another, an SDK beside them."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.dialects.names import Dialect, Outcome
from tests.exchanges import Sample, event_stream

OPUS, HAIKU, GPT = "claude-opus-5-5", "claude-haiku-4-8", "gpt-5.5"
SSE = ("content-type", "text/event-stream; charset=utf-8")
JSON = ("content-type", "application/json")
ORGANIZATION = "6f1d2c1e-58a1-4f0e-9d0b-2f7f3a6f5b11"
TOOLS = [
    {"name": name, "description": description, "input_schema": {"type": "object", "properties": properties}}
    for name, description, properties in (
        ("Bash", "Runs a command in the shell of the project.", {"command": {"type": "string"}}),
        ("Read", "Reads a file.", {"file_path": {"type": "string"}}),
        ("Edit", "Replaces text in a file.", {"file_path": {"type": "string"}, "new_string": {"type": "string"}}),
        ("Grep", "Searches the project.", {"pattern": {"type": "string"}}),
    )
]
REMINDER = "<system-reminder>\nThe project's conventions are in CLAUDE.md. Today is Saturday.\n</system-reminder>"
PROMPT = "The invoice totals are off by a cent for some customers. Find out why and fix it; tests please."
FAILURE = """tests/test_totals.py::test_rounding FAILED

    def test_rounding():
>       assert invoice([Line("0.335", 3), Line("0.335", 3)]).total == Decimal("2.01")
E       AssertionError: assert Decimal('2.02') == Decimal('2.01')

1 failed, 41 passed in 1.12s
"""
STEPS: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "Totals that are off by a cent usually come from rounding each line before the sum. I will look for it.",
        "Grep",
        {"pattern": "quantize"},
        "billing/invoice.py:41:    amount = (line.price * line.count).quantize(CENT)\nbilling/invoice.py:58: sum(",
    ),
    (
        "One place rounds per line. Let me read it.",
        "Read",
        {"file_path": "billing/invoice.py"},
        "\n".join(f"{number:>6}\t" + text for number, text in enumerate(
            ["def total(lines):", '    """Sum of the lines, in cents."""', "    amounts = []", "    for line in lines:",
             "        amount = (line.price * line.count).quantize(CENT)", "        amounts.append(amount)",
             "    return sum(amounts, Decimal(0))"], 37)),
    ),
    ("A test first, so that the mistake is seen.", "Bash", {"command": "pytest -q tests/test_totals.py"}, FAILURE),
    (
        "It fails as expected. Now the rounding moves behind the sum.",
        "Edit",
        {"file_path": "billing/invoice.py", "new_string": "    return sum(exact).quantize(CENT, ROUND_HALF_EVEN)"},
        "The file billing/invoice.py has been updated.",
    ),
    ("Once more.", "Bash", {"command": "pytest -q"}, "42 passed in 1.09s\n"),
]  # fmt: skip
FAREWELL = (
    "Fixed. Each line was rounded before the sum, so several half cents could add up to a whole one. The sum is now "
    "exact and rounded once, half to even, and `tests/test_totals.py` has the case that failed."
)


def working_day(end: datetime | None = None) -> list[Sample]:
    """Oldest first; the same at every run but for the time it ends at."""
    chance = random.Random(11)
    samples = [*claude_code(chance), *codex(chance), *sdk(), *mishaps()]
    chance.shuffle(tail := samples[6:])
    at = (end or datetime.now(UTC)) - timedelta(minutes=58)
    placed = []
    for sample in [*tail, *samples[:6]]:
        at += timedelta(seconds=chance.uniform(20, 160))
        placed.append(at_time(sample, min(at, datetime.now(UTC))))
    return placed


def at_time(sample: Sample, at: datetime) -> Sample:
    return Sample(**{name: getattr(sample, name) for name in Sample.__dataclass_fields__} | {"at": at})


def identity(number: int) -> str:
    return str(uuid.UUID(int=random.Random(number).getrandbits(128), version=4))


def claude_headers(session: int, agent: str = "") -> list[tuple[str, str]]:
    headers = [
        ("Accept", "application/json"),
        ("Authorization", "Bearer [fingerprint 9f3a1c20d7b4]"),
        ("User-Agent", "claude-cli/2.1.329 (external, cli)"),
        ("X-Claude-Code-Session-Id", identity(session)),
        ("x-claude-code-prompt-id", identity(session + 100)),
        ("x-claude-code-request-class", "main"),
        ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"),
        ("anthropic-version", "2023-06-01"),
        ("x-app", "cli"),
        ("X-Team", "billing"),
        ("content-type", "application/json"),
    ]
    return [*headers, ("x-claude-code-agent-id", agent)] if agent else headers


def answer_headers(number: int) -> list[tuple[str, str]]:
    return [
        SSE,
        ("request-id", f"req_011CVf{number:04d}"),
        ("anthropic-organization-id", ORGANIZATION),
        *limits(number),
    ]


def limits(number: int) -> list[tuple[str, str]]:
    """Of two windows that began some time ago; more of them is used from answer to answer."""
    now = datetime.now(UTC)
    resets = {"5h": now + timedelta(hours=2.2), "7d": now + timedelta(days=3.1)}
    used = {"5h": 0.42 + 0.02 * (number % 10), "7d": 0.17}
    return [
        ("anthropic-ratelimit-unified-status", "allowed"),
        *((f"anthropic-ratelimit-unified-{name}-utilization", f"{part:.2f}") for name, part in used.items()),
        *((f"anthropic-ratelimit-unified-{name}-reset", str(int(at.timestamp()))) for name, at in resets.items()),
    ]


def claude_code(chance: random.Random) -> Iterator[Sample]:
    """One prompt, answered in six turns, each of which resends what was said before."""
    first = [{"type": "text", "text": REMINDER}, {"type": "text", "text": PROMPT}]
    messages: list[dict[str, Any]] = [{"role": "user", "content": first}]
    for number, (text, tool, given, result) in enumerate([*STEPS, (FAREWELL, "", {}, "")]):
        use = {"type": "tool_use", "id": f"toolu_{number:02d}", "name": tool, "input": given} if tool else None
        yield Sample(
            claude_body(OPUS, messages),
            claude_stream(OPUS, text, use, number),
            first_ms=chance.randint(700, 2_400),
            gaps_ms=[chance.randint(5, 120) for _ in range(7)] + [2_700 if number == 5 else 40],
            request_headers=claude_headers(1),
            response_headers=answer_headers(number),
        )
        said = [{"type": "text", "text": text}, *([use] if use else [])]
        back = {"type": "tool_result", "tool_use_id": f"toolu_{number:02d}", "content": result}
        messages = [*messages, {"role": "assistant", "content": said}, {"role": "user", "content": [back]}]
    for number in range(3):
        yield Sample(
            claude_body(HAIKU, [{"role": "user", "content": "Summarise the change for the commit message."}]),
            claude_stream(HAIKU, "Round invoice totals once, after the sum.", None, number),
            first_ms=310 + number * 40,
            request_headers=claude_headers(1, "a3f9c1e27b8d4460"),
            response_headers=answer_headers(40 + number),
        )


def claude_body(model: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    system = "You are Claude Code.\n" + "Work in small steps and say what you do. " * 60
    return {
        "model": model,
        "messages": messages,
        "system": [{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
        "tools": TOOLS,
        "max_tokens": 128_000,
        "thinking": {"type": "adaptive"},
        "stream": True,
    }


def claude_stream(model: str, text: str, use: dict[str, Any] | None, number: int) -> list[bytes]:
    usage = {
        "input_tokens": 412 + 37 * number,
        "cache_creation_input_tokens": 1_180 * number,
        "cache_read_input_tokens": 48_300 + 2_950 * number,
        "output_tokens": 2,
    }
    message = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "usage": usage,
    }
    thought = "The price is exact until it is rounded. Which step rounds first?"
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    blocks: list[tuple[dict[str, Any], str, str]] = [
        ({"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", thought),
        ({"type": "text", "text": ""}, "text_delta", text),
    ]
    if use:
        blocks.append((use | {"input": {}}, "input_json_delta", json.dumps(use["input"])))
    for index, (block, delta, whole) in enumerate(blocks):
        key = {"thinking_delta": "thinking", "text_delta": "text"}.get(delta, "partial_json")
        pieces = [whole[at : at + 9] for at in range(0, len(whole), 9)]
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += [{"type": "content_block_delta", "index": index, "delta": {"type": delta, key: p}} for p in pieces]
        events.append({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": "tool_use" if use else "end_turn", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 96 + len(text) // 3}})
    return event_stream(*events, {"type": "message_stop"})


def codex(chance: random.Random) -> Iterator[Sample]:
    items: list[dict[str, Any]] = [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are Codex."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Add a dark mode switch."}]},
    ]
    for number in range(7):
        patch = "*** Begin Patch\n*** Update File: src/theme.ts\n+export const dark = true\n*** End Patch"
        call = {"type": "custom_tool_call", "call_id": f"call_{number}", "name": "apply_patch", "input": patch}
        usage = {
            "input_tokens": 9_515 + 240 * number,
            "input_tokens_details": {"cached_tokens": 8_960},
            "output_tokens": 61,
            "total_tokens": 9_576 + 240 * number,
        }
        response = {"id": f"resp_{number}", "status": "completed", "model": GPT, "output": [call], "usage": usage}
        yield Sample(
            {"model": GPT, "stream": True, "input": items, "tools": [{"type": "custom", "name": "apply_patch"}]},
            event_stream(
                {"type": "response.created", "response": response | {"status": "in_progress", "output": []}},
                {"type": "response.output_item.done", "output_index": 0, "item": call},
                {"type": "response.completed", "response": response},
            ),
            dialect=Dialect.RESPONSES,
            path="/v1/responses",
            query="",
            first_ms=chance.randint(400, 1_500),
            gaps_ms=[chance.randint(100, 900)],
            request_headers=[
                ("user-agent", "codex_exec/0.169.0"),
                ("session-id", identity(7)),
                ("content-type", "application/json"),
            ],
            response_headers=[SSE, ("x-request-id", f"req_{number:032x}"), ("x-ratelimit-remaining-tokens", "1999000")],
        )
        items = [*items, call, {"type": "custom_tool_call_output", "call_id": f"call_{number}", "output": "Done."}]


def sdk() -> Iterator[Sample]:
    for number, question in enumerate(
        ("Name three rivers.", "Translate 'harbour' to French.", "Is 91 a prime number?")
    ):
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Certainly."}}
        usage = {"prompt_tokens": 14 + number, "completion_tokens": 9, "total_tokens": 23 + number}
        yield Sample(
            {"model": GPT, "messages": [{"role": "user", "content": question}]},
            [json.dumps({"model": f"{GPT}-2026-08-01", "choices": [choice], "usage": usage}).encode()],
            dialect=Dialect.CHAT,
            path="/v1/chat/completions",
            query="",
            request_headers=[("User-Agent", "OpenAI/Python 3.52.0"), JSON],
            response_headers=[JSON, ("x-request-id", f"req_{number:030x}ab")],
        )
    yield Sample(
        {"model": OPUS, "messages": [{"role": "user", "content": "hi"}]},
        [b'{"input_tokens":8}'],
        path="/v1/messages/count_tokens",
        query="",
        first_ms=120,
        request_headers=[("User-Agent", "Anthropic/Python 2.11.0"), JSON],
        response_headers=[JSON, ("request-id", "req_011CVfcount")],
    )


def mishaps() -> Iterator[Sample]:
    prompt = [{"role": "user", "content": "Rename the module and everything that refers to it."}]
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    yield Sample(
        claude_body(OPUS, prompt),
        [json.dumps(overloaded).encode()],
        status=529,
        outcome=Outcome.UPSTREAM_ERROR,
        first_ms=210,
        request_headers=claude_headers(2),
        response_headers=[JSON, ("request-id", "req_011CVf529")],
    )
    half = claude_stream(OPUS, "I will begin with the imports, then the package's name in", None, 3)
    for outcome, error in (
        (Outcome.CLIENT_DISCONNECTED, "the client closed the connection"),
        (Outcome.UPSTREAM_ABORTED, "the provider closed the connection before the answer ended"),
    ):
        yield Sample(
            claude_body(OPUS, prompt),
            half[:-6],
            outcome=outcome,
            error=error,
            gaps_ms=[60],
            request_headers=claude_headers(2),
            response_headers=answer_headers(60),
        )
    refusal = {"type": "error", "error": {"type": "authentication_error", "message": "This key opens nothing here."}}
    yield Sample(
        claude_body(OPUS, prompt),
        [json.dumps(refusal).encode()],
        status=401,
        outcome=Outcome.DENIED,
        first_ms=1,
        request_headers=claude_headers(3),
        response_headers=[JSON],
    )
