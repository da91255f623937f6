"""A request of the Messages API as a neutral one. It is only asked for when the request leaves the dialect."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.dialects.anthropic.blocks import decode_cache, decode_content
from gateway.dialects.names import Dialect
from gateway.dialects.raw_object import RawObject, read_object
from gateway.dialects.turn import (
    Extras,
    Message,
    OutputFormat,
    Part,
    ProviderTool,
    Reasoning,
    Refused,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)

ATTRIBUTION: Final = "x-anthropic-billing-header:"
_KNOWN: Final = frozenset(
    {
        "model", "messages", "max_tokens", "system", "tools", "tool_choice", "stream", "stop_sequences", "temperature",
        "top_k", "top_p", "thinking", "output_config", "output_format", "service_tier",
    }
)  # fmt: skip
_NO_THREADS: Final = "thread: this model's provider keeps no threads. Send the whole conversation, without a thread."
"""The SDK goes on without a thread when the error's details say so."""
_IN_MESSAGE: Final = frozenset({"role", "content", "output_config"})
_IN_TOOL: Final = frozenset({"type", "name", "description", "input_schema", "strict", "cache_control"})
_IN_THINKING: Final = frozenset({"type", "budget_tokens", "display"})
_IN_CHOICE: Final = {"auto": "auto", "any": "required", "none": "none", "tool": "tool"}


def decode_request(body: bytes) -> Request:
    """Raises Refused. Claude Code's attribution block is left out: it is meant for Anthropic alone."""
    read = read_object(body)
    if read.has("safeguards"):
        raise Refused(
            "safeguards: this model's provider has no safety check of Anthropic's. Leave it out.", "safeguards"
        )
    if read.has("thread"):
        raise Refused(_NO_THREADS, "thread", {"error_code": "thread_unsupported_request", "unsupported": ["thread"]})
    if not read.text("model"):
        raise Refused("model: Field required", "model")
    messages = tuple(_message(message) for message in read.children("messages"))
    if not messages:
        raise Refused("messages: at least one message is required", "messages")
    system, plain = decode_content(read, "system")
    choice = read.child("tool_choice")
    metadata = read.child("metadata")
    session, user = _who(metadata)
    return Request(
        model=read.text("model"),
        messages=messages,
        system=tuple(part for part in system if not _is_attribution(part)),
        system_plain=plain,
        tools=tuple(_tool(tool) for tool in read.children("tools")),
        tool_choice=_choice(choice),
        parallel_tool_calls=_parallel(choice),
        max_tokens=read.integer("max_tokens"),
        stream=bool(read.flag("stream")),
        sampling=Sampling(
            temperature=read.number("temperature"),
            top_p=read.number("top_p"),
            top_k=read.integer("top_k"),
            stop=read.texts("stop_sequences"),
        ),
        reasoning=_reasoning(read, messages),
        output_format=_output_format(read),
        cache_key=session,
        user=user,
        service_tier=read.text("service_tier"),
        dialect=Dialect.ANTHROPIC,
        extras=_extras(read, keep_metadata=bool(session)),
    )


def _message(message: RawObject) -> Message:
    role = message.text("role")
    if role not in ("user", "assistant", "system"):
        raise Refused(f"{message.at('role')} must be user, assistant or system.", message.at("role"))
    content, plain = decode_content(message, "content")
    config = message.child("output_config")
    effort = config.text("effort") if config is not None else ""
    return Message(Role(role), content, plain, effort=effort, extras=message.extras(_IN_MESSAGE))


def _is_attribution(part: Part) -> bool:
    return isinstance(part, Text) and part.text.startswith(ATTRIBUTION)


def _tool(tool: RawObject) -> Tool | ProviderTool:
    kind = tool.text("type")
    if not tool.has("input_schema") and kind not in ("", "custom"):
        return ProviderTool(Dialect.ANTHROPIC, kind, tool.json_text(), tool.text("name"))
    description = tool.text("description") if tool.has("description") else None
    return Tool(
        tool.text("name"),
        description,
        tool.json("input_schema"),
        strict=tool.flag("strict"),
        cache=decode_cache(tool),
        extras=tool.extras(_IN_TOOL),
    )


def _choice(choice: RawObject | None) -> ToolChoice | None:
    if choice is None:
        return None
    mode: Any = _IN_CHOICE.get(choice.text("type"))
    if mode is None:
        raise Refused("tool_choice.type must be auto, any, none or tool.", "tool_choice.type")
    return ToolChoice(mode, choice.text("name"))


def _parallel(choice: RawObject | None) -> bool | None:
    disabled = choice.flag("disable_parallel_tool_use") if choice is not None else None
    return None if disabled is None else not disabled


def _reasoning(read: RawObject, messages: tuple[Message, ...]) -> Reasoning | None:
    """The thinking asked for. An effort that a message asks for from there on outweighs the one of the request."""
    thinking, config = read.child("thinking"), read.child("output_config")
    asked = config.text("effort") if config is not None else ""
    effort = next((message.effort for message in reversed(messages) if message.effort), asked)
    if thinking is None:
        return Reasoning(effort=effort) if effort else None
    mode: Any = thinking.text("type") or ""
    if mode not in ("enabled", "disabled", "adaptive"):
        raise Refused("thinking.type must be enabled, disabled or adaptive.", "thinking.type")
    return Reasoning(
        mode,
        thinking.integer("budget_tokens"),
        effort,
        thinking.text("display"),
        extras=thinking.extras(_IN_THINKING),
    )


def _output_format(read: RawObject) -> OutputFormat | None:
    config = read.child("output_config")
    form = (config.child("format") if config is not None else None) or read.child("output_format")
    if form is None or form.text("type") != "json_schema":
        return None
    return OutputFormat("json_schema", form.json("schema"))


def _who(metadata: RawObject | None) -> tuple[str, str]:
    """(session, user). Claude Code puts a JSON object into `user_id`, with the session among ids of the device and the
    account, which are nobody else's business."""
    user = metadata.text("user_id") if metadata is not None else ""
    if not user.startswith("{"):
        head, mark, session = user.partition("_session_")
        return (session, "") if mark and head.startswith("user_") else ("", user)
    try:
        known = msgspec.json.decode(user, type=dict[str, Any])
    except ValueError:
        return "", user
    known_session = known.get("session_id")
    return (known_session, "") if isinstance(known_session, str) else ("", "")


def _extras(read: RawObject, *, keep_metadata: bool) -> Extras:
    known = _KNOWN if keep_metadata else _KNOWN | {"metadata"}
    config = read.child("output_config")
    rest = config.extras(frozenset({"effort", "format"})) if config is not None else ()
    return read.extras(known) + tuple((f"output_config.{name}", value) for name, value in rest)
