"""Calls and results brought together, because Messages and Chat Completions refuse a history in which they are not.

Each result goes right behind the message with its call. A call nobody answered gets a result that says so; a result of
a call that is not there becomes text. Both happen: a client that was interrupted, a history that was cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.dialects.turn import Message, Part, Role, Text, ToolCall, ToolResult

UNANSWERED: Final = "No result was recorded: the call was interrupted."
_ORPHAN: Final = "[Result of the tool call {call}, which is not in this conversation]"

replace = msgspec.structs.replace


def pair_calls(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """`messages` with every call answered in the next message, and nothing answered that was not called."""
    if is_paired(messages):
        return messages
    results = _results_by_call(messages)
    called: set[str] = set()
    paired: list[Message] = []
    for number, message in enumerate(messages):
        kept = _without_results(message, called)
        if kept is not None:
            paired.append(kept)
        calls = [part for part in message.content if isinstance(part, ToolCall) and part.id not in called]
        called.update(call.id for call in calls)
        if calls and (number < len(messages) - 1 or any(call.id in results for call in calls)):
            answers = tuple(results.get(call.id) or unanswered(call) for call in calls)
            paired.append(Message(Role.USER, answers))
    return tuple(paired)


def is_paired(messages: tuple[Message, ...]) -> bool:
    waiting: set[str] = set()
    for message in messages:
        results = {part.call for part in message.content if isinstance(part, ToolResult)}
        calls = [part.id for part in message.content if isinstance(part, ToolCall)]
        if results != waiting or len(calls) != len(set(calls)):
            return False
        waiting = set(calls)
    return True


def unanswered(call: ToolCall) -> ToolResult:
    return ToolResult(call.id, (Text(UNANSWERED),), is_error=True, kind=call.kind)


def _results_by_call(messages: Iterable[Message]) -> dict[str, ToolResult]:
    """The first result of each call that was made before it."""
    called: set[str] = set()
    results: dict[str, ToolResult] = {}
    for message in messages:
        for part in message.content:
            if isinstance(part, ToolCall):
                called.add(part.id)
            elif isinstance(part, ToolResult) and part.call in called:
                results.setdefault(part.call, part)
    return results


def _without_results(message: Message, called: set[str]) -> Message | None:
    """The rest of a message whose results go elsewhere; a result that answers nothing is told as text."""
    rest: list[Part] = []
    for part in message.content:
        if not isinstance(part, ToolResult):
            rest.append(part)
        elif part.call not in called:
            rest += (Text(_ORPHAN.format(call=part.call)), *part.content)
    if not rest:
        return None
    return message if len(rest) == len(message.content) else replace(message, content=tuple(rest), plain=False)
