"""`history conversation`, `diff` and `cache` on recorded sessions."""

from __future__ import annotations

import io
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.exchanges import Sample, keep, message_stream
from tests.gateway.history.conversation.building import START, TOOLS, talk
from tests.gateway.history.recorded import keep_session

pytestmark = pytest.mark.django_db
SESSION = "00000000-0000-4000-8000-000000000001"


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("history", *arguments, stdout=output, stderr=io.StringIO())
    return output.getvalue()


def as_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def usage(read: int, written: int) -> list[bytes]:
    counts = {"input_tokens": 12, "cache_read_input_tokens": read, "cache_creation_input_tokens": written}
    return message_stream("Well.", usage=counts)


def keep_talk(*bodies: dict[str, Any], answers: list[list[bytes]] | None = None, gap: float = 20) -> list[uuid.UUID]:
    headers = [("x-claude-code-session-id", "talk"), ("user-agent", "claude-cli/2.1.329 (external, cli)")]
    return keep(
        Sample(
            body,
            answers[number] if answers else usage(20_000, 400),
            at=START + timedelta(seconds=gap * number),
            request_headers=headers,
        )
        for number, body in enumerate(bodies)
    )


def test_the_tree_shows_agents_below_what_started_them() -> None:
    ids = keep_session("claude_subagents")
    shown = as_json("conversation", SESSION)
    (main,) = shown["agents"]
    assert [turn["id"] for turn in main["turns"]] == [str(ids[0]), str(ids[1]), str(ids[4])]
    assert [agent["agent_id"] for agent in main["agents"]] == ["aad3042cc7935191e", "a65e19bb20fbc4844"]
    assert {agent["started_by"] for agent in main["agents"]} <= {str(ids[0]), str(ids[1])}
    assert (shown["turns"], shown["requests"], shown["client"]) == (5, 5, "claude-code")


def test_the_id_of_any_request_names_its_conversation() -> None:
    ids = keep_session("claude_three_turns")
    assert as_json("conversation", str(ids[1])) == as_json("conversation", SESSION)


def test_a_turns_attempts_stand_below_it_with_their_reasons() -> None:
    keep_session("claude_unsupported_field_retry")
    text = run("conversation", SESSION)
    assert "1 turns, 6 requests" in text
    assert text.count("downgrade") == 5
    assert "without thinking-token-count-2026-05-13" in text
    keep_session("claude_stream_cut_then_resume", start=START + timedelta(hours=2))
    assert "[resumed]" in run("conversation", SESSION)


def test_the_difference_to_the_turn_before_is_what_was_said_since() -> None:
    ids = keep_session("claude_three_turns")
    found = as_json("diff", str(ids[1]))
    assert [(item["change"], item["name"]) for item in found] == [
        ("entered", "message 3 (assistant)"),
        ("entered", "message 4 (user)"),
    ]
    assert [item["change"] for item in as_json("diff", str(ids[0]), str(ids[2]))] == ["entered"] * 4
    assert as_json("diff", str(ids[2]), str(ids[2])) == []
    with pytest.raises(CommandError, match="name a second request"):
        run("diff", str(ids[0]))


def test_the_difference_of_a_downgrade_names_tools_and_settings() -> None:
    ids = keep_session("claude_unsupported_field_retry")
    names = {(item["change"], item["name"]) for item in as_json("diff", str(ids[3]))}
    assert {("entered", "tool WebFetch"), ("left", "tool ToolSearch"), ("rewritten", "thinking")} <= names


def test_rewritten_moved_and_compacted_parts_are_told_apart() -> None:
    ids = keep_talk(
        talk("a", "b", "c"),
        talk("a", "b", "c", tools=TOOLS[::-1], output_config={"effort": "high"}),
        talk("a", "b2", "c"),
        talk("sum", "c"),
    )
    moved = as_json("diff", str(ids[0]), str(ids[1]))
    assert [item["change"] for item in moved] == ["entered", "moved"]
    assert (moved[0]["name"], moved[1]["section"], moved[1]["note"]) == ("output_config", "tool", "")
    (rewritten,) = as_json("diff", str(ids[0]), str(ids[2]))
    assert (rewritten["change"], rewritten["name"]) == ("rewritten", "message 2 (assistant)")
    (compacted,) = as_json("diff", str(ids[0]), str(ids[3]))
    assert (compacted["change"], compacted["note"]) == ("compacted", "3 messages became 2")


def test_a_broken_cache_is_named_with_what_it_lost() -> None:
    other = [*TOOLS, {"name": "mcp__x__find", "input_schema": {}}]
    ids = keep_talk(talk("a"), talk("a", "b", "c", tools=other), answers=[usage(20_000, 400), usage(0, 20_900)])
    (found,) = as_json("cache", "talk")
    assert found["id"] == str(ids[1])
    assert found["reasons"] == ["tool mcp__x__find added"]
    assert (found["available_tokens"], found["actual_tokens"], found["lost_tokens"]) == (20_400, 0, 20_400)
    text = run("cache", "talk", "--all")
    assert "lost 20400" in text
    assert "2 calls with usage, 1 missed the cache, 20400 tokens lost" in text


def test_breakpoints_lifetimes_come_from_the_recorded_marks() -> None:
    hour = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = talk("a", system=[{"type": "text", "text": "x" * 9000} | hour])
    later = talk("a", "b", "c", system=[{"type": "text", "text": "x" * 9000} | hour])
    keep_talk(body, later, answers=[usage(20_000, 400), usage(0, 400)], gap=1200)
    (found,) = as_json("cache", "talk")
    assert found["reasons"] == ["gap 19 min over a 5 min TTL"]
    assert found["expected_is_estimate"]
    assert found["expected_tokens"] > 15_000


@pytest.mark.parametrize("action", ["conversation", "cache"])
def test_what_is_not_there_is_told(action: str) -> None:
    with pytest.raises(CommandError, match="no session"):
        run(action, str(uuid.uuid4()))
