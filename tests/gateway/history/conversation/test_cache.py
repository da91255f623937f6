"""Why the cache missed, and that recorded sessions show no false break."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from gateway.dialects.names import Dialect
from gateway.history.conversation.cache import Cause, Prices, cache_readings
from gateway.history.conversation.calls import Call
from gateway.history.conversation.turns import gather
from tests.gateway.history.conversation.building import (
    MARK,
    READ,
    START,
    SYSTEM,
    TOOLS,
    call_of,
    captured_calls,
    talk,
    user,
)
from tests.transcripts.captured import FOLDER

PRICES = Prices(Decimal("5e-6"), Decimal("0.5e-6"), Decimal("6.25e-6"), Decimal("1e-5"))
HIT = {"cache_read_tokens": 20_000, "cache_write_tokens": 400}
MISS = {"cache_read_tokens": 0, "cache_write_tokens": 20_900}


def readings(calls: list[Call]) -> list[Any]:
    return cache_readings(gather(calls, READ), READ, lambda call: PRICES)


def pair(before: dict[str, Any], after: dict[str, Any], gap: float = 20, **changes: Any) -> Any:
    """What the second of two calls shows, which read nothing from the cache."""
    first = call_of(before, START, client_version="2.1.240", first_byte_ms=800.0, **HIT)
    second = call_of(after, START + timedelta(seconds=gap), **({"client_version": "2.1.240"} | MISS | changes))
    return readings([first, second])[1]


@pytest.mark.parametrize("capture", sorted(file.stem for file in FOLDER.glob("*.jsonl")))
@pytest.mark.parametrize("gap", [0.1, 20, 290])
def test_recorded_sessions_show_no_false_break(capture: str, gap: float) -> None:
    found = readings(captured_calls(capture, gap))
    assert [reading.reasons for reading in found if reading.cause] == []


def test_an_unbroken_turn_is_expected_to_read_what_the_one_before_left() -> None:
    second = cache_readings(gather(captured_calls("claude_three_turns"), READ), READ)[1]
    assert (second.available, second.expected, second.actual, second.lost) == (9856, 9856, 9844, None)
    assert not second.estimated


READ_CHANGED = [TOOLS[0], TOOLS[1] | {"input_schema": {"type": "object", "required": ["file"]}}]
RULES = "The house rules. " * 200


@pytest.mark.parametrize(
    ("after", "cause", "reason"),
    [
        (talk("a", "b", "c", tools=READ_CHANGED), Cause.PROMPT, "tool Read schema changed"),
        (
            talk("a", "b", "c", tools=[TOOLS[0] | {"description": "x"}, TOOLS[1]]),
            Cause.PROMPT,
            "tool Bash description changed",
        ),
        (talk("a", "b", "c", tools=TOOLS[:1]), Cause.PROMPT, "tool Read removed"),
        (talk("a", "b", "c", tools=TOOLS[::-1]), Cause.PROMPT, "tools reordered from Read on"),
        (
            talk("a", "b", "c", tools=[*TOOLS, {"name": "mcp__x", "input_schema": {}}]),
            Cause.PROMPT,
            "tool mcp__x added",
        ),
        (
            talk("a", "b", "c", system=[SYSTEM[0], {"type": "text", "text": "x"}]),
            Cause.PROMPT,
            "system block 2 changed",
        ),
        (talk("a", "b", "c", system=SYSTEM[:1]), Cause.PROMPT, "system block 2 removed"),
        (talk("a", "b", "c", system=[*SYSTEM, {"type": "text", "text": "x"}]), Cause.PROMPT, "system block 3 added"),
        (talk("a", "b", "c", model="claude-sonnet-5"), Cause.MODEL, "model changed: claude-opus-5-5 → claude-sonnet-5"),
        (talk("a", "b", "c", thinking={"type": "disabled"}), Cause.SETTING, "thinking changed"),
        (talk("a", "b", "c", output_config={"effort": "high"}), Cause.SETTING, "output_config changed"),
        (talk("a", "b", "c", marked=False), Cause.BREAKPOINT, "no breakpoint: caching was not asked for"),
        (talk("a", "b", "c"), Cause.PROVIDER, "nothing differs that is known here: the provider did not find it"),
    ],
)
def test_the_first_thing_that_differs_is_named(after: dict[str, Any], cause: Cause, reason: str) -> None:
    found = pair(talk("a"), after)
    assert (found.cause, found.reasons[0], found.lost) == (cause, reason, 20_400)


def test_a_message_that_says_something_else_is_named_by_its_place() -> None:
    first = call_of(talk("a"), START, **HIT)
    second = call_of(talk("a", "read", "result", "fine", "on"), START + timedelta(seconds=20), **HIT)
    third = call_of(talk("a", "read", "[gone]", "fine", "on", "done", "next"), START + timedelta(seconds=40), **MISS)
    found = readings([first, second, third])[2]
    assert (found.cause, found.reasons) == (Cause.PROMPT, ("message 3 (user) changed",))


def test_a_pause_longer_than_the_lifetime_is_named_with_both() -> None:
    found = pair(talk("a"), talk("a", "b", "c"), gap=420)
    assert (found.cause, found.reasons, found.expected) == (Cause.EXPIRED, ("gap 6 min over a 5 min TTL",), 0)


def test_an_hour_lasts_an_hour() -> None:
    hour = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    before = talk("a", marked=False, system=[SYSTEM[0], SYSTEM[1] | hour])
    found = pair(before, talk("a", "b", "c", marked=False, system=[SYSTEM[0], SYSTEM[1] | hour]), gap=420)
    assert (found.cause, found.expected) == (Cause.PROVIDER, 20_400)


def test_each_breakpoint_has_its_own_lifetime() -> None:
    hour = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    system = [SYSTEM[0], SYSTEM[1] | hour]
    found = pair(talk("a", system=system), talk("a", "b", "c", system=system), 420, cache_read_tokens=18_000)
    assert found.cause is Cause.EXPIRED
    assert found.estimated
    assert 15_000 < found.expected < 20_400


def test_a_read_in_between_renews_what_was_written() -> None:
    calls = [
        call_of(talk(*"abcdefg"[: 2 * number + 1]), START + timedelta(seconds=200 * number), first_byte_ms=1.0, **HIT)
        for number in range(3)
    ]
    late = call_of(talk(*"abcdefghi"[:7]), START + timedelta(seconds=600), **MISS)
    assert readings([*calls, late])[3].cause is Cause.PROVIDER
    assert readings([calls[0], replace(late, started_at=START + timedelta(seconds=600))])[1].cause is Cause.EXPIRED


def test_a_newer_client_is_named_beside_what_it_changed() -> None:
    found = pair(talk("a"), talk("a", "b", "c", tools=READ_CHANGED), client_version="2.1.251")
    assert found.reasons == ("tool Read schema changed", "client 2.1.240 → 2.1.251")
    assert pair(talk("a"), talk("a", "b", "c"), client_version="2.1.251").cause is Cause.CLIENT


def test_another_organization_reads_nothing_of_the_first() -> None:
    first = call_of(talk("a"), START, organization_id="one", **HIT)
    second = call_of(talk("a", "b", "c"), START + timedelta(seconds=20), organization_id="two", **MISS)
    assert readings([first, second])[1].reasons == ("organization one → two",)


def test_a_wandering_mark_and_a_string_for_a_block_break_nothing() -> None:
    before = talk("a") | {"system": [SYSTEM[0], SYSTEM[1] | MARK]}
    after = talk("a", "b", "c")
    after["messages"][0] = {"role": "user", "content": "a"}
    found = pair(before, after, cache_read_tokens=20_400)
    assert (found.expected, found.cause) == (20_400, None)


def test_what_is_shorter_than_the_models_minimum_is_not_expected() -> None:
    first = call_of(talk("a"), START, cache_read_tokens=0, cache_write_tokens=3_000)
    second = call_of(talk("a", "b", "c"), START + timedelta(seconds=20), cache_read_tokens=0, cache_write_tokens=0)
    assert readings([first, second])[1].cause is None
    sonnet = [replace(call, requested_model="claude-sonnet-4-5", model=None) for call in (first, second)]
    assert readings(sonnet)[1].lost == 3_000


def test_a_summary_in_place_of_the_history_is_called_a_compaction() -> None:
    first = call_of(talk("a"), START, **HIT)
    second = call_of(talk("a", "b", "c"), START + timedelta(seconds=20), **HIT)
    third = call_of(
        talk("This session is being continued from a previous conversation that ran out of context."),
        START + timedelta(seconds=40),
        **MISS,
    )
    found = readings([first, second, third])[2]
    assert (found.cause, found.reasons) == (Cause.COMPACTION, ("message 1 (user) changed (compaction)",))


def test_a_call_that_began_before_the_one_before_was_answered_could_read_nothing() -> None:
    first = call_of(talk("a"), START, first_byte_ms=9_000.0, **HIT)
    second = call_of(talk("a", "b", "c"), START + timedelta(seconds=2), **MISS)
    assert readings([first, second])[1].cause is Cause.TOO_EARLY


def test_what_was_lost_is_priced_by_what_was_paid_for_it() -> None:
    found = pair(talk("a"), talk("a", "b", "c", tools=READ_CHANGED), cache_write_tokens=10_000)
    assert found.lost_cost == Decimal("0.0575") + Decimal("0.0468")
    hour = pair(
        talk("a"), talk("a", "b", "c", tools=READ_CHANGED), cache_write_tokens=10_000, cache_write_1h_tokens=4_000
    )
    assert hour.lost_cost == found.lost_cost + 4_000 * Decimal("3.75e-6")
    unknown = cache_readings(gather([found.before, found.call], READ), READ)
    assert unknown[1].lost_cost is None


def test_without_usage_nothing_is_said() -> None:
    first = call_of(talk("a"), START)
    second = call_of(talk("a", "b", "c"), START + timedelta(seconds=20), **MISS)
    (only,) = readings([first, second])
    assert (only.available, only.expected, only.cause) == (None, None, None)


def test_an_agent_is_compared_with_its_own_turns_only() -> None:
    calls = [
        call_of(talk("a"), START, **HIT),
        call_of(talk("look it up"), START + timedelta(seconds=5), agent_id="a1", **MISS),
        call_of(talk("a", "b", "c"), START + timedelta(seconds=20), cache_read_tokens=20_400),
    ]
    assert [reading.cause for reading in readings(calls)] == [None, None, None]


def test_a_provider_that_caches_unasked_is_expected_to_read_what_it_read() -> None:
    def body(*texts: str) -> dict[str, Any]:
        return {"model": "gpt-5.5", "messages": [user(text) for text in texts], "tools": []}

    known: dict[str, Any] = {"dialect": Dialect.CHAT, "path": "/v1/chat/completions"}
    first = call_of(body("a"), START, cache_read_tokens=9_000, **known)
    kept = call_of(body("a", "b"), START + timedelta(seconds=20), cache_read_tokens=9_100, **known)
    missed = call_of(body("a", "b", "c"), START + timedelta(seconds=40), cache_read_tokens=0, **known)
    assert [reading.cause for reading in readings([first, kept, missed])] == [None, None, Cause.PROVIDER]
