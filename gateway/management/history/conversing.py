"""`history conversation|diff|cache`."""

from __future__ import annotations

import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from gateway.history.conversation.cache import CacheReading, cache_readings
from gateway.history.conversation.comparing import call_before, compare
from gateway.history.conversation.difference import Difference
from gateway.history.conversation.loading import Loaded, load_around, load_session
from gateway.history.conversation.present import cache_object, conversation_object, difference_object
from gateway.history.conversation.rates import price_reader
from gateway.history.conversation.tree import Agent, agents_of, walk
from gateway.history.conversation.turns import Attempt
from gateway.management.history.action import Action, exchange_id
from gateway.management.history.printing import dump, printable


def add_conversation(parser: ArgumentParser) -> None:
    parser.add_argument("session", help="a session's id, or the id of any request in the conversation")


def conversation_arguments(parser: ArgumentParser) -> None:
    add_conversation(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def load(name: str) -> Loaded:
    """By the id of a session, or of a request in it. Raises NotInHistory."""
    try:
        return load_around(uuid.UUID(name))
    except (ValueError, LookupError):
        return load_session(name)


def conversation(command: BaseCommand, *, session: str, json: bool, **options: Any) -> None:
    loaded = load(session)
    if json:
        command.stdout.write(dump(conversation_object(loaded), indent=2))
        return
    shown = conversation_object(loaded)
    versions = ", ".join(shown["client_versions"])
    head = f"session {loaded.session_id or 'without an id'} · {shown['client']} {versions} · "
    command.stdout.write(printable(f"{head}{shown['turns']} turns, {shown['requests']} requests"))
    for depth, agent in walk(agents_of(loaded)):
        for line in agent_lines(agent):
            command.stdout.write("    " * depth + printable(line))
    if loaded.truncated:
        command.stderr.write("there is more than can be shown at once")


def agent_lines(agent: Agent) -> Iterator[str]:
    by = f", started by turn {agent.started_by.number}" if agent.started_by else ""
    yield f"agent {agent.id}{by}" if agent.id else "main"
    for turn in agent.turns:
        marks = "".join(f" [{mark}]" for mark in turn.marks)
        parent = f" ← {turn.parent.number}" if turn.parent else ""
        yield f"  {turn.number:>4}{parent}{marks}  {len(turn.first.messages)} messages"
        for attempt in turn.attempts:
            yield f"        {attempt_line(attempt)}"


def attempt_line(attempt: Attempt) -> str:
    call = attempt.call
    tokens = " ".join(
        f"{label} {count}"
        for label, count in (
            ("in", call.input_tokens),
            ("read", call.cache_read_tokens),
            ("written", call.cache_write_tokens),
            ("out", call.output_tokens),
        )
        if count is not None
    )
    lasted = "" if call.duration_ms is None else f"{call.duration_ms / 1000:.1f} s"
    dropped = f"without {', '.join(attempt.dropped)}" if attempt.dropped else ""
    gateway = f"{len(call.attempts)} tries of the gateway" if len(call.attempts) > 1 else ""
    ended = call.stop_reason or call.stream_error or call.error_message or call.outcome
    why = "" if attempt.why == "first" else f"{attempt.why} "
    shown = (f"{call.started_at:%H:%M:%S}", str(call.id), why + (call.model or call.requested_model or "?"),
             str(call.status_code or "-"), ended[:60], tokens, lasted, dropped, gateway)  # fmt: skip
    return "  ".join(part for part in shown if part)


def diff_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", type=exchange_id, help="a request: what changed since the turn it goes on from")
    parser.add_argument("other", type=exchange_id, nargs="?", help="another of its conversation: what changed up to it")
    parser.add_argument("--json", action="store_true", help="print one JSON array")


def diff(command: BaseCommand, *, id: uuid.UUID, other: uuid.UUID | None, json: bool, **options: Any) -> None:
    loaded = load_around(id)
    before, call = (
        (call_before(loaded, loaded.call(id)), loaded.call(id)) if other is None else map(loaded.call, (id, other))
    )
    if before is None:
        raise CommandError(f"{id} goes on from nothing: name a second request to compare it with")
    found = compare(loaded, before, call)
    if json:
        command.stdout.write(dump([difference_object(item) for item in found], indent=2))
        return
    command.stdout.write(f"from {before.id} to {call.id}")
    for item in found:
        command.stdout.write(printable(difference_line(item)))
    if not found:
        command.stdout.write("nothing differs")


SIGNS = {"entered": "+", "left": "-", "rewritten": "~", "moved": ">", "compacted": "="}


def difference_line(item: Difference) -> str:
    sizes = [f"{part.size} bytes" for part in (item.old, item.new) if part is not None]
    note = f"  {item.note}" if item.note else ""
    return f"{SIGNS[item.change]} {item.change:<9}  {item.name}  {' → '.join(sizes)}{note}"


def cache_arguments(parser: ArgumentParser) -> None:
    conversation_arguments(parser)
    parser.add_argument("--all", action="store_true", help="also the calls that missed nothing")


def cache(command: BaseCommand, *, session: str, json: bool, all: bool, **options: Any) -> None:
    loaded = load(session)
    readings = cache_readings(loaded.turns, loaded.reader.read, price_reader())
    shown = [reading for reading in readings if all or reading.cause]
    if json:
        command.stdout.write(dump([cache_object(reading) for reading in shown], indent=2))
        return
    for reading in shown:
        command.stdout.write(printable(cache_line(reading)))
    missed = [reading for reading in readings if reading.cause is not None]
    lost = sum(reading.lost or 0 for reading in missed)
    priced = [reading.lost_cost for reading in missed if reading.lost_cost is not None]
    cost = f", ${sum(priced):.4f}" if priced else ""
    unpriced = f", {len(missed) - len(priced)} of them without a price" if len(priced) < len(missed) else ""
    told = f"{len(readings)} calls with usage, {len(missed)} missed the cache{unpriced}, {lost} tokens lost{cost}"
    command.stdout.write(told)


def cache_line(reading: CacheReading) -> str:
    call = reading.call
    about = "about " if reading.estimated else ""
    expected = "?" if reading.expected is None else f"{about}{reading.expected}"
    head = f"{call.started_at:%H:%M:%S}  {call.id}  expected {expected}, read {reading.actual}"
    if reading.cause is None:
        return head
    cost = "" if reading.lost_cost is None else f" (${reading.lost_cost:.4f})"
    return f"{head}, lost {reading.lost}{cost}: {'; '.join(reading.reasons)}"


ACTIONS = (
    Action("conversation", "a session's agents, turns and attempts", conversation_arguments, conversation),
    Action("diff", "what changed in the prompt from one turn to the next", diff_arguments, diff),
    Action("cache", "why the prompt cache missed, call by call", cache_arguments, cache),
)
