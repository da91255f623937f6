"""A call beside the one it goes on from."""

from __future__ import annotations

from gateway.history.conversation.calls import Call, Part
from gateway.history.conversation.difference import Difference, differences, setting_differences
from gateway.history.conversation.loading import Loaded
from gateway.history.conversation.names import part_name


def call_before(loaded: Loaded, call: Call) -> Call | None:
    """What the turn goes on from; for a later attempt the attempt before it. None for the first of all."""
    for turn in loaded.turns:
        calls = [attempt.call for attempt in turn.attempts]
        if call in calls:
            at = calls.index(call)
            return calls[at - 1] if at else turn.parent.answer if turn.parent else None
    return None


def compare(loaded: Loaded, before: Call, call: Call) -> list[Difference]:
    """What changed between two calls: settings, then tools, system and messages."""

    def name(part: Part, at: int) -> str:
        return part_name(part, at, loaded.reader.read)

    return setting_differences(before.settings, call.settings) + differences(before.parts, call.parts, name)
