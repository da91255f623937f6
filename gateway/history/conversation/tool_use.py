"""What a conversation's tools did: calls, errors, how long a result took to come back, how large it was.

The time between a call and its result is that from the end of the answer that holds the call to the start of the first
request that holds the result: the tool's own run, and the wait for a person's leave.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from gateway.dialects.request_parts import PartKind
from gateway.dialects.tool_calls import ToolCall, ToolResult, tool_calls, tool_results
from gateway.history.conversation.calls import Call
from gateway.history.conversation.loading import Loaded
from gateway.history.conversation.names import tool_name
from gateway.history.conversation.prompts import PromptReader
from gateway.history.conversation.turns import Turn


@dataclass(slots=True)
class Use:
    """One call of a tool. None: not seen."""

    call: ToolCall
    called_at: datetime.datetime | None = None
    result: ToolResult | None = None
    returned_at: datetime.datetime | None = None

    @property
    def waited_ms(self) -> float | None:
        """From the end of the answer with the call to the request with the result; None when either was not seen."""
        if self.called_at is None or self.returned_at is None:
            return None
        return max(0.0, (self.returned_at - self.called_at) / datetime.timedelta(milliseconds=1))


@dataclass(slots=True)
class ToolFigures:
    """`errors` counts the results that say they failed, `unknown` those that do not say. `offered` counts the calls of
    the model the tool was offered to."""

    name: str
    calls: int = 0
    errors: int = 0
    unknown: int = 0
    unanswered: int = 0
    offered: int = 0
    waits_ms: list[float] = field(default_factory=list)
    result_bytes: list[int] = field(default_factory=list)

    @property
    def median_wait_ms(self) -> float | None:
        return median(self.waits_ms) if self.waits_ms else None

    @property
    def longest_wait_ms(self) -> float | None:
        return max(self.waits_ms, default=None)

    @property
    def total_result_bytes(self) -> int:
        return sum(self.result_bytes)

    @property
    def largest_result_bytes(self) -> int | None:
        return max(self.result_bytes, default=None)


def calls_of(turns: Iterable[Turn]) -> list[Call]:
    """All attempts in the order of time."""
    return sorted((attempt.call for turn in turns for attempt in turn.attempts), key=lambda call: call.id)


def uses_of(loaded: Loaded) -> list[Use]:
    """Each call of a tool once, in the order they were first seen."""
    uses: dict[str, Use] = {}
    seen: set[bytes] = set()
    for call in calls_of(loaded.turns):
        for part in call.messages:
            if part.digest not in seen:
                seen.add(part.digest)
                note_message(uses, loaded.reader.read(part), call)
        if call.reply is not None:
            for made in tool_calls(loaded.reader.value(call.reply)):
                if made.id:
                    use = uses.setdefault(made.id, Use(made))
                    use.called_at = use.called_at or call.ended_at
    return list(uses.values())


def note_message(uses: dict[str, Use], message: Any, call: Call) -> None:
    for made in tool_calls(message):
        if made.id:
            uses.setdefault(made.id, Use(made))
    for result in tool_results(message):
        use = uses.get(result.id)
        if use is not None and use.result is None:
            use.result, use.returned_at = result, call.started_at


def figures(conversations: Iterable[Loaded]) -> list[ToolFigures]:
    """By tool, the most called first; tools that were offered and never called too."""
    found: dict[str, ToolFigures] = {}
    for loaded in conversations:
        for use in uses_of(loaded):
            add_use(found.setdefault(use.call.name, ToolFigures(use.call.name)), use)
        for name, count in offers(loaded).items():
            found.setdefault(name, ToolFigures(name)).offered += count
    return sorted(found.values(), key=lambda tool: (-tool.calls, tool.name))


def add_use(tool: ToolFigures, use: Use) -> None:
    tool.calls += 1
    if use.result is None:
        tool.unanswered += 1
        return
    tool.errors += use.result.is_error is True
    tool.unknown += use.result.is_error is None
    tool.result_bytes.append(use.result.size)
    if use.waited_ms is not None:
        tool.waits_ms.append(use.waited_ms)


def offers(loaded: Loaded) -> dict[str, int]:
    """How many calls of the model each tool was offered to."""
    counts: dict[str, int] = {}
    for call in calls_of(loaded.turns):
        for name in offered_names(call, loaded.reader):
            counts[name] = counts.get(name, 0) + 1
    return counts


def offered_names(call: Call, reader: PromptReader) -> Sequence[str]:
    return [tool_name(reader.read(part)) for part in call.parts if part.kind is PartKind.TOOL]
