"""A conversation in the order Anthropic takes it: the system prompt apart, user and assistant in turn, and the results
of parallel calls side by side in one turn of the user's."""

from __future__ import annotations

from typing import Final

import msgspec

from gateway.dialects.foreign_tools import call_as_function
from gateway.dialects.names import Dialect
from gateway.dialects.pairing import pair_calls
from gateway.dialects.sources import PAGES
from gateway.dialects.turn import (
    ByFile,
    Document,
    Image,
    Inline,
    Loss,
    Message,
    Part,
    Refused,
    Request,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Unknown,
)

_INSTRUCTING: Final = (Role.SYSTEM, Role.DEVELOPER)
_BEGIN: Final = Text("(continue)")

_THOUGHT: Final = Loss("messages[].thinking", "thoughts of another model are not shown to this one")
_NAME: Final = Loss("messages[].name", "Anthropic does not know it; it was left out")
_DETAIL: Final = Loss("messages[].image.detail", "Anthropic looks at every image in one resolution")

replace = msgspec.structs.replace


def arrange_turns(request: Request, losses: list[Loss]) -> tuple[tuple[Part, ...], tuple[Message, ...]]:
    """(system, messages). Raises Refused for content Anthropic cannot take."""
    if request.dialect is Dialect.ANTHROPIC:
        return request.system, request.messages
    system = list(request.system)
    turns: list[Message] = []
    for number, message in enumerate(pair_calls(request.messages)):
        said = _without_steps(message.content, losses) if message.role is Role.ASSISTANT else message.content
        content = _fit(said, f"messages.{number}.content", losses)
        if message.name:
            _lose(_NAME, losses)
        if message.role in _INSTRUCTING and not turns:
            system += content
        elif content:
            turns.append(_turn(message, content))
    if not turns or turns[0].role is not Role.USER:
        turns.insert(0, Message(Role.USER, (_BEGIN,), plain=True))
    return tuple(part for part in system if not isinstance(part, Text) or part.text), _merge(turns)


def _turn(message: Message, content: tuple[Part, ...]) -> Message:
    """An instruction in mid-conversation is told as the user's, and marked as what it is."""
    if message.role not in _INSTRUCTING:
        return replace(message, content=content, plain=message.plain and len(content) == 1)
    told = tuple(
        Text(f"<system-reminder>\n{part.text}\n</system-reminder>") for part in content if isinstance(part, Text)
    )
    return Message(Role.USER, told)


def _merge(turns: list[Message]) -> tuple[Message, ...]:
    merged: list[Message] = []
    for turn in turns:
        if merged and merged[-1].role is turn.role:
            # Results come first in a turn, as Anthropic demands.
            parts = merged[-1].content + turn.content
            results = tuple(part for part in parts if isinstance(part, ToolResult))
            rest = tuple(part for part in parts if not isinstance(part, ToolResult))
            merged[-1] = replace(merged[-1], content=results + rest, plain=False)
        else:
            merged.append(turn)
    return tuple(merged)


def _fit(parts: tuple[Part, ...], path: str, losses: list[Loss]) -> tuple[Part, ...]:
    kept: list[Part] = []
    for number, part in enumerate(parts):
        where = f"{path}.{number}"
        if isinstance(part, ToolResult):
            kept.append(replace(part, content=_fit(part.content, f"{where}.content", losses)))
        elif isinstance(part, Thinking):
            kept += _fit_thinking(part, losses)
        elif isinstance(part, ToolCall):
            kept.append(call_as_function(part))
        elif isinstance(part, (Image, Document)) and isinstance(part.source, ByFile):
            raise Refused(f"{where}: a file kept by OpenAI is not known to Anthropic. Send its bytes.", where)
        elif isinstance(part, Document) and isinstance(part.source, Inline):
            _refuse_unreadable(part.source, where)
            kept.append(part)
        elif isinstance(part, Unknown) and part.dialect is not Dialect.ANTHROPIC:
            raise Refused(f"{where}: Anthropic does not take content of type {part.kind}.", where)
        elif not isinstance(part, Text) or part.text:
            if isinstance(part, Image) and part.detail not in ("", "auto"):
                _lose(_DETAIL, losses)
            kept.append(part)
    return tuple(kept)


def _without_steps(parts: tuple[Part, ...], losses: list[Loss]) -> tuple[Part, ...]:
    """Without what another provider did of its own before, as a search: the answer it led to is there."""
    kept: list[Part] = []
    for part in parts:
        if isinstance(part, Unknown) and part.dialect is not Dialect.ANTHROPIC:
            _lose(Loss(f"messages[].{part.kind}", "only its own provider reads it; it was left out"), losses)
        else:
            kept.append(part)
    return tuple(kept)


def _refuse_unreadable(source: Inline, where: str) -> None:
    """Anthropic takes pages as they are, and text as text."""
    if source.media_type != PAGES:
        kind = source.media_type or "unknown type"
        raise Refused(f"{where}: Anthropic takes documents of {PAGES} and of text, and no {kind}.", where)


def _fit_thinking(part: Thinking, losses: list[Loss]) -> list[Part]:
    """A thought that Anthropic did not seal is nothing it would take."""
    if part.seal is not None and part.seal.issuer is Dialect.ANTHROPIC:
        return [part]
    _lose(_THOUGHT, losses)
    return []


def _lose(loss: Loss, losses: list[Loss]) -> None:
    if loss not in losses:
        losses.append(loss)
