"""Neutral messages in the words of Chat Completions.

Tool results become messages of their own, directly behind the calls; images in them, for which a tool's message has no
place, follow in a message of the user's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.dialects.foreign_tools import call_as_function
from gateway.dialects.pairing import pair_calls
from gateway.dialects.profile import Profile
from gateway.dialects.readable import as_error, readable, told_as_text
from gateway.dialects.sources import url_of
from gateway.dialects.turn import (
    CacheMark,
    Document,
    Image,
    InlineText,
    Loss,
    Message,
    Part,
    Refusal,
    Refused,
    Request,
    Role,
    Source,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Unknown,
)

_INSTRUCTING: Final = (Role.SYSTEM, Role.DEVELOPER)
_JOIN: Final = "join"
_IMAGE_FOLLOWS: Final = "[The image follows in the next message.]"


class MessagesEncoder:
    """`losses` collects what cannot be said; each once, however often it stands in the conversation."""

    def __init__(self, profile: Profile, losses: list[Loss]) -> None:
        self._profile = profile
        self._losses = losses

    def encode(self, request: Request) -> list[dict[str, Any]]:
        """Raises Refused for content the provider cannot take."""
        said: list[dict[str, Any]] = []
        if request.system:
            said.append(self._instruction(request.system, "system", request.system_plain))
        messages = pair_calls(request.messages)
        for number, message in enumerate(messages):
            for each in self._message(message, f"messages.{number}", leads=not said or _only_instructions(said)):
                _append(said, each)
        last = said[-1] if said else {}
        if last.get("role") == "assistant" and not last.get("content") and not last.get("tool_calls"):
            said.pop()  # the empty turn some clients leave for the answer
        if not said:
            raise Refused("messages: nothing is left to be said.", "messages")
        return said

    def _lose(self, field: str, reason: str) -> None:
        loss = Loss(field, reason)
        if loss not in self._losses:
            self._losses.append(loss)

    def _instruction(self, parts: Sequence[Part], path: str, plain: bool) -> dict[str, Any]:
        content = self._contents(parts, path, plain)
        return {"role": self._profile.system_role, "content": content}

    def _message(self, message: Message, path: str, *, leads: bool) -> list[dict[str, Any]]:
        named = {"name": message.name} if message.name else {}
        if message.role in _INSTRUCTING:
            if leads or self._profile.system_anywhere:
                return [self._instruction(message.content, path, message.plain) | named]
            told = "\n\n".join(part.text for part in message.content if isinstance(part, Text))
            return [{"role": "user", "content": f"<system-reminder>\n{told}\n</system-reminder>", _JOIN: True}]
        if message.role is Role.ASSISTANT:
            return [self._assistant(message, path) | named]
        return self._user(message, path, named)

    def _user(self, message: Message, path: str, named: dict[str, str]) -> list[dict[str, Any]]:
        said: list[dict[str, Any]] = []
        seen: list[Part] = []
        rest: list[Part] = []
        for part in message.content:
            if isinstance(part, ToolResult):
                said.append(self._result(part, path, seen))
            else:
                rest.append(part)
        if seen or rest or not message.content:
            said.append({"role": "user", "content": self._contents([*seen, *rest], path, message.plain), **named})
        return said

    def _result(self, result: ToolResult, path: str, seen: list[Part]) -> dict[str, Any]:
        """A tool's message; what it cannot hold is added to `seen`."""
        texts: list[str] = []
        for part in result.content:
            if isinstance(part, (Image, Document)) and not isinstance(part.source, InlineText):
                seen.append(part)
                texts.append(_IMAGE_FOLLOWS)
            else:
                texts.append(self._text_of(part, path))
        content = "\n".join(text for text in texts if text)
        if result.is_error:
            content = as_error(content)
        return {"role": "tool", "tool_call_id": result.call, "content": content}

    def _text_of(self, part: Part, path: str) -> str:
        if isinstance(part, (Text, Refusal)):
            return part.text
        if isinstance(part, Document) and isinstance(part.source, InlineText):
            return "\n".join(text for text in (part.title, part.context, part.source.text) if text)
        if isinstance(part, Unknown):
            return self._unknown(part, path)
        return ""

    def _unknown(self, part: Unknown, path: str) -> str:
        """What can be read of a block nobody here knows: search results and references to tools."""
        told = readable(part)
        if told is None:
            raise Refused(f"{path}: this model does not take content of type {part.kind}.", path)
        if (loss := told_as_text(part.kind)) not in self._losses:
            self._losses.append(loss)
        return told

    def _assistant(self, message: Message, path: str) -> dict[str, Any]:
        said: dict[str, Any] = {"role": "assistant", "content": None}
        texts: list[str] = []
        refusals: list[str] = []
        calls: list[dict[str, Any]] = []
        thoughts: list[str] = []
        for part in message.content:
            if isinstance(part, ToolCall):
                calls.append(self._call(part))
            elif isinstance(part, Thinking):
                thoughts += self._thought(part)
            elif isinstance(part, Refusal):
                refusals.append(part.text)
            elif isinstance(part, Unknown) and readable(part) is None:
                self._lose(f"messages[].{part.kind}", "only its own provider reads it; it was left out")
            else:
                texts.append(self._text_of(part, path))
        content = "\n\n".join(text for text in texts if text) or None
        style = self._profile.reasoning.history
        if thoughts and style == "tags":
            content = f"<think>\n{''.join(thoughts)}\n</think>\n\n{content or ''}"
        elif thoughts:
            said[style] = "".join(thoughts)
        said["content"] = content if content is not None or calls or refusals else ""
        if refusals:
            said["refusal"] = "".join(refusals)
        if calls:
            said["tool_calls"] = calls
        return said

    def _thought(self, part: Thinking) -> list[str]:
        if part.redacted or not part.text or self._profile.reasoning.history == "drop":
            self._lose("messages[].thinking", "earlier thoughts are not sent to this provider")
            return []
        return [part.text]

    def _call(self, call: ToolCall) -> dict[str, Any]:
        if call.kind == "custom" and self._profile.custom_tools:
            return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
        function = call_as_function(call)
        arguments = function.arguments if function.arguments.strip() else "{}"
        return {"id": call.id, "type": "function", "function": {"name": function.name, "arguments": arguments}}

    def _contents(self, parts: Sequence[Part], path: str, plain: bool) -> str | list[dict[str, Any]]:
        """A bare string where the provider or the caller wants one and it is text alone, else a list of parts."""
        marked = self._profile.cache_control and any(getattr(part, "cache", None) for part in parts)
        only_text = not any(isinstance(part, (Image, Document)) and _is_binary(part.source) for part in parts)
        if only_text and not marked and (plain or not self._profile.text_parts):
            return "\n\n".join(text for part in parts if (text := self._text_of(part, path)))
        return [self._part(part, f"{path}.content.{number}") for number, part in enumerate(parts)]

    def _part(self, part: Part, path: str) -> dict[str, Any]:
        if isinstance(part, Image):
            detail = {"detail": part.detail} if part.detail else {}
            return self._mark(
                {"type": "image_url", "image_url": {"url": url_of(part.source, path), **detail}}, part.cache
            )
        if isinstance(part, Document) and _is_binary(part.source):
            return self._document(part, path)
        return self._mark({"type": "text", "text": self._text_of(part, path)}, getattr(part, "cache", None))

    def _document(self, part: Document, path: str) -> dict[str, Any]:
        if not self._profile.documents:
            raise Refused(f"{path}: this model takes no documents but text. Send what it says as text.", path)
        return {"type": "file", "file": {"filename": part.title or "document", "file_data": url_of(part.source, path)}}

    def _mark(self, part: dict[str, Any], cache: CacheMark | None) -> dict[str, Any]:
        if cache is not None and self._profile.cache_control:
            part["cache_control"] = {"type": "ephemeral"} | ({"ttl": cache.ttl} if cache.ttl else {})
        return part


def _append(said: list[dict[str, Any]], message: dict[str, Any]) -> None:
    """An instruction told as the user's joins the user's words before it: many engines insist on turns."""
    before = said[-1] if said else {}
    if not message.pop(_JOIN, False) or before.get("role") != "user":
        said.append(message)
    elif isinstance(before["content"], str):
        before["content"] += f"\n\n{message['content']}"
    else:
        before["content"].append({"type": "text", "text": message["content"]})


def _only_instructions(said: Iterable[dict[str, Any]]) -> bool:
    return all(message["role"] in ("system", "developer") for message in said)


def _is_binary(source: Source) -> bool:
    return not isinstance(source, InlineText)
