"""What fills a context, and what tools did."""

from __future__ import annotations

import io
import json
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.history.conversation.cache import Prices
from gateway.history.conversation.context import report
from gateway.history.conversation.loading import load_session
from gateway.history.weights import PICTURE_BYTES, scaled, weight
from tests.exchanges import Sample, event_stream, keep, message_stream
from tests.gateway.history.conversation.building import START, TOOLS, user
from tests.gateway.history.recorded import keep_session

HEADERS = [("x-claude-code-session-id", "s"), ("user-agent", "claude-cli/2.1.329 (external, cli)")]
IDLE = {"name": "mcp__idle", "description": "Never called. " * 40, "input_schema": {"type": "object"}}
USAGE = {"input_tokens": 100, "cache_read_input_tokens": 4_000, "cache_creation_input_tokens": 900}


def as_json(*arguments: str) -> Any:
    output = io.StringIO()
    call_command("history", *arguments, "--json", stdout=output, stderr=io.StringIO())
    return json.loads(output.getvalue())


def called(id: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": given}


def returned(id: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": content, **more}]}


def answer(*blocks: dict[str, Any]) -> list[bytes]:
    start = {"id": "m", "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": []}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start | {"usage": USAGE}}]
    for index, block in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block | {"input": {}}})
        delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}
    return event_stream(*events, end, {"type": "message_stop"})


@pytest.fixture
def reading(db: None) -> list[uuid.UUID]:
    """A session that reads one file twice, fails at a command, and has one call that is not answered."""
    file = {"file_path": "/src/a.py"}
    steps = [
        (called("t1", "Read", file), returned("t1", "x" * 3_000)),
        (called("t2", "Read", file), returned("t2", "x" * 3_000)),
        (called("t3", "Bash", {"command": "false"}), returned("t3", "exit 1", is_error=True)),
        (called("t4", "Bash", {"command": "sleep 9"}), None),
    ]
    messages, samples = [user("Look at a.py")], []
    for number, (call, result) in enumerate(steps):
        body = {"model": "claude-opus-5-5", "messages": list(messages), "tools": [*TOOLS, IDLE], "stream": True}
        at = START + timedelta(seconds=30 * number)
        samples.append(Sample(body, answer(call), at=at, request_headers=HEADERS, first_ms=900))
        messages += [{"role": "assistant", "content": [call]}, result] if result else []
    return keep(samples)


def test_each_tool_has_its_calls_errors_waits_and_sizes(reading: list[uuid.UUID]) -> None:
    found = {tool["name"]: tool for tool in as_json("tools", "s")}
    assert (found["Read"]["calls"], found["Read"]["errors"], found["Read"]["result_bytes"]) == (2, 0, 6_000)
    assert (found["Bash"]["calls"], found["Bash"]["errors"], found["Bash"]["without_result"]) == (2, 1, 1)
    assert (found["mcp__idle"]["calls"], found["mcp__idle"]["offered"]) == (0, 4)
    # The answer took a little over 0.9 s, the next request came 30 s after the first.
    assert found["Read"]["median_wait_ms"] == pytest.approx(29_000, abs=100)
    assert found["mcp__idle"]["median_wait_ms"] is None


def test_the_estimates_of_a_prompts_parts_add_up_to_the_providers_figure(reading: list[uuid.UUID]) -> None:
    shown = as_json("context", "s", "--largest", "100")
    (context,) = shown["contexts"]
    assert context["id"] == str(reading[-1])
    assert context["prompt_tokens"] == 5_000
    assert sum(resident["tokens_estimate"] for resident in context["residents"]) == 5_000
    largest = context["residents"][0]
    assert largest["name"] in (
        "message 3 (user): result of Read /src/a.py",
        "message 5 (user): result of Read /src/a.py",
    )
    assert {resident["calls"] for resident in context["residents"] if "message 3" in resident["name"]} == {3}


def test_files_read_again_and_tools_never_called_are_named(reading: list[uuid.UUID]) -> None:
    shown = as_json("context", "s")
    assert shown["files_read_again"] == [{"path": "/src/a.py", "reads": 2, "result_bytes": 6_000}]
    (idle,) = shown["tools_never_called"]
    assert (idle["name"], idle["offered"]) == ("mcp__idle", 4)
    assert idle["carried_tokens_estimate"] > 4 * 100
    # The list price: 4, 0.2 and 5 USD for a million tokens.
    mean = Decimal(100 * 4 + 4_000 * Decimal("0.2") + 900 * 5) / 5_000 / 1_000_000
    assert Decimal(idle["usd_estimate"]) == idle["carried_tokens_estimate"] * mean


def test_a_tool_nobody_calls_is_priced_by_what_its_prompts_cost(reading: list[uuid.UUID]) -> None:
    priced = report(
        load_session("s"), lambda call: Prices(Decimal("5e-6"), Decimal("0.5e-6"), Decimal("6.25e-6"), Decimal("1e-5"))
    )
    (idle,) = priced.idle_tools
    mean = (100 * Decimal("5e-6") + 4_000 * Decimal("0.5e-6") + 900 * Decimal("6.25e-6")) / 5_000
    assert idle.cost == (idle.carried or 0) * mean


@pytest.mark.django_db
def test_without_a_count_nothing_is_estimated() -> None:
    body = {"model": "claude-opus-5-5", "messages": [user("a")], "tools": TOOLS}
    keep([Sample(body, [], status=529, request_headers=HEADERS)])
    shown = as_json("context", "s")
    assert {resident["tokens_estimate"] for resident in shown["contexts"][0]["residents"]} == {None}
    assert {tool["tokens_estimate"] for tool in shown["tools_never_called"]} == {None}


@pytest.mark.django_db
def test_a_picture_counts_as_a_picture_and_not_as_its_bytes() -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 400_000}}
    message = {"role": "user", "content": [picture, {"type": "text", "text": "b" * 6_000}]}
    answer = message_stream("Nice.", usage={"input_tokens": 3_000, "cache_read_input_tokens": 0})
    keep([Sample({"model": "claude-opus-5-5", "messages": [message]}, answer, request_headers=HEADERS)])
    shares = [resident["tokens_estimate"] for resident in as_json("context", "s")["contexts"][0]["residents"]]
    assert shares == [pytest.approx(1_500, abs=50)] * 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("capture", "tool", "calls"),
    [("claude_bash_tool", "Bash", 1), ("claude_parallel_tools", "Bash", 2), ("codex_shell_tool", "exec_command", 1),
     ("codex_apply_patch", "apply_patch", 1), ("claude_subagents", "Agent", 2)],
)  # fmt: skip
def test_the_tools_of_recorded_sessions_are_counted_once(capture: str, tool: str, calls: int) -> None:
    keep_session(capture)
    found = {row["name"]: row for row in as_json("tools", "--since", "2026-11-20")}
    assert found[tool]["calls"] == calls
    assert found[tool]["without_result"] == 0


@pytest.mark.django_db
def test_tools_need_one_conversation_or_a_filter() -> None:
    for arguments in ([], ["s", "--client", "codex"]):
        with pytest.raises(CommandError, match="name one conversation, or narrow"):
            as_json("tools", *arguments)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=40), st.integers(0, 10**7))
@example([0], 1)
@example([0, 0, 0], 2)
def test_shares_always_add_up(weights: list[int], total: int) -> None:
    shares = scaled(weights, total)
    assert sum(shares) == total
    for own, share in zip(weights, shares, strict=True):
        assert abs(share - own * total / (sum(weights) or 1)) <= 1 or not any(weights)


PICTURE = "QUJD" * 10_000
PICTURES = {
    "a source": {"type": "image", "source": {"type": "base64", "data": PICTURE}},
    "an address": {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}"},
    "an address in an object": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
    "within a result of a message": {
        "role": "user",
        "content": [{"type": "tool_result", "content": [{"type": "image", "source": {"data": PICTURE}}]}],
    },
    "within an output": {
        "type": "function_call_output",
        "output": [{"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}"}],
    },
    "within a result": {"type": "tool_result", "content": [{"type": "image", "source": {"data": PICTURE}}]},
}


@pytest.mark.parametrize("block", PICTURES.values(), ids=PICTURES)
def test_a_picture_weighs_what_its_tokens_are_worth_in_every_dialect(block: dict[str, Any]) -> None:
    size = len(json.dumps(block))
    assert PICTURE_BYTES <= weight(block, size) < PICTURE_BYTES + 300
