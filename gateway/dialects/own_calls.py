"""Calls as the caller's own tools are called: a provider knows these under names and shapes it takes.

Anthropic takes names of 128 characters, OpenAI of 64; a custom tool of Chat Completions is a function to whoever has
no such tools. The caller looks for the name it gave, and for free text where it asked for some.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

import msgspec

from gateway.dialects.answer import Answer, BlockEnded, StreamEvent, ToolCallDelta, ToolCallStarted
from gateway.dialects.foreign_tools import flat_name, free_text
from gateway.dialects.turn import Part, ProviderTool, Tool, ToolCall

replace = msgspec.structs.replace


class OwnCalls:
    """`tools` by the names that providers know them under."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._tools = tools
        self._pieces: list[str] | None = None

    @classmethod
    def of(cls, tools: Iterable[Tool | ProviderTool]) -> Self | None:
        """None when every tool goes by its own name and takes JSON, as nearly always."""
        own = [tool for tool in tools if isinstance(tool, Tool)]
        changed = {name: tool for tool in own if (name := flat_name(tool.name)) != tool.name or _is_text(tool)}
        return cls(changed) if changed else None

    def events(self, events: Iterable[StreamEvent]) -> list[StreamEvent]:
        """The events with the calls as the caller knows them. What a custom tool takes is known when its JSON is whole,
        and said then."""
        own: list[StreamEvent] = []
        for event in events:
            self._take(event, own)
        return own

    def _take(self, event: StreamEvent, own: list[StreamEvent]) -> None:
        if isinstance(event, ToolCallStarted) and (tool := self._find(event)) is not None:
            self._pieces = [] if _is_text(tool) else None
            event = ToolCallStarted(event.id, tool.name, tool.kind)
        elif isinstance(event, ToolCallDelta) and self._pieces is not None:
            self._pieces.append(event.arguments)
            return
        elif isinstance(event, BlockEnded) and self._pieces is not None:
            own.append(ToolCallDelta(free_text("".join(self._pieces))))
            self._pieces = None
        own.append(event)

    def answer(self, answer: Answer) -> Answer:
        return replace(answer, content=tuple(map(self._part, answer.content)))

    def _part(self, part: Part) -> Part:
        tool = self._find(part) if isinstance(part, ToolCall) else None
        if tool is None or not isinstance(part, ToolCall):
            return part
        arguments = free_text(part.arguments) if _is_text(tool) else part.arguments
        return replace(part, name=tool.name, kind=tool.kind, arguments=arguments)

    def _find(self, call: ToolCall | ToolCallStarted) -> Tool | None:
        return self._tools.get(call.name) if call.kind == "function" else None


def _is_text(tool: Tool) -> bool:
    return tool.kind == "custom"
