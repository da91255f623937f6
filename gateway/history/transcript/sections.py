"""The values of a request's body that its transcript was read from, one for each tool, system block and message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.dialects.names import Dialect
from gateway.history.transcript.blocks import as_list, as_mapping


class Sections(NamedTuple):
    tools: Sequence[Any] = ()
    system: Sequence[Any] = ()
    messages: Sequence[Any] = ()


def of_anthropic(body: Mapping[str, Any]) -> Sections:
    return Sections(as_list(body.get("tools")), listed(body.get("system")), as_list(body.get("messages")))


def of_chat(body: Mapping[str, Any]) -> Sections:
    return Sections([*as_list(body.get("tools")), *as_list(body.get("functions"))], (), as_list(body.get("messages")))


def of_responses(body: Mapping[str, Any]) -> Sections:
    return Sections(as_list(body.get("tools")), listed(body.get("instructions")), listed(body.get("input")))


READERS: Final[dict[str, Callable[[Mapping[str, Any]], Sections]]] = {
    Dialect.ANTHROPIC: of_anthropic,
    Dialect.CHAT: of_chat,
    Dialect.RESPONSES: of_responses,
}


def sections_of(dialect: str, body: Mapping[str, Any]) -> Sections:
    """Nothing of a dialect without a conversation."""
    return READERS[dialect](body) if dialect in READERS else Sections()


def listed(value: Any) -> Sequence[Any]:
    """A list as it is, a single value as one of one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def values_in(message: Any) -> Sequence[Any]:
    """What the blocks of its turn were read from, where each has a value of its own; else the message."""
    content = as_mapping(message).get("content")
    return content if isinstance(content, list) and content else [message]
