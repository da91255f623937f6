"""Members of a request that nobody here knows: they were written for the caller's own API.

Said to another they would be refused (Anthropic answers `messages.1.audio: Extra inputs are not permitted`), so they
are left out, and each is noted once, however often it stands in the conversation.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from gateway.dialects.names import Dialect
from gateway.dialects.turn import Loss, Message, Part, Reasoning, Request, Tool, ToolResult

_REASON: Final = "nobody but the caller's own API knows it; it was left out"
_T = TypeVar("_T", Message, Part, Tool, Reasoning)

replace = msgspec.structs.replace


def leave_out_unknown(request: Request) -> tuple[Request, tuple[Loss, ...]]:
    """The request without those of its messages, their parts, its tools and its wish to think; and what that loses.
    Those of the request itself are its encoder's to note."""
    sieve = _Sieve("input[]" if request.dialect is Dialect.RESPONSES else "messages[]")
    messages = tuple(map(sieve.message, request.messages))
    system = tuple(sieve.part(part, "system[]") for part in request.system)
    tools = tuple(sieve.bare(tool, "tools[]") if isinstance(tool, Tool) else tool for tool in request.tools)
    wish = sieve.bare(request.reasoning, "thinking") if request.reasoning is not None else None
    if not sieve.losses:
        return request, ()
    known = replace(request, messages=messages, system=system, tools=tools, reasoning=wish)
    return known, tuple(sieve.losses.values())


class _Sieve:
    def __init__(self, messages: str) -> None:
        self.losses: dict[str, Loss] = {}
        self._messages = messages

    def message(self, message: Message) -> Message:
        place = f"{self._messages}.content[]"
        content = tuple(self.part(part, place) for part in message.content)
        whole = self.bare(message, self._messages)
        same = all(new is old for new, old in zip(content, message.content, strict=True))
        return whole if same else replace(whole, content=content)

    def part(self, part: Part, place: str) -> Part:
        if isinstance(part, ToolResult):
            content = tuple(self.part(inner, place) for inner in part.content)
            if any(new is not old for new, old in zip(content, part.content, strict=True)):
                part = replace(part, content=content)
        return self.bare(part, place)

    def bare(self, value: _T, place: str) -> _T:
        for name, _ in getattr(value, "extras", ()):
            field = f"{place}.{name}"
            self.losses.setdefault(field, Loss(field, _REASON))
        return replace(value, extras=()) if getattr(value, "extras", ()) else value
