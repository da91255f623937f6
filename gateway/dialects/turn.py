"""The neutral values that stand between the dialects: what one turn of a conversation says, whoever says it.

A decoder makes them from one dialect's bytes, an encoder makes another dialect's bytes from them; both are pure. JSON
that nobody needs to understand (a tool's schema, a call's arguments, an unknown field) is carried as the text it came
as, so that numbers and key order survive. What is not known stays as `Unknown` or as an extra: the dialect it came from
can say it again, another one cannot, and that is a `Loss` or a `Refused`.
Answers and the events of a stream are in `answer.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Literal

import msgspec

from gateway.dialects.names import Dialect

Extras = tuple[tuple[str, str], ...]
"""Fields nobody here knows: (name, JSON text), in the order they came."""


class Refused(Exception):
    """The request cannot be said in the other dialect, or not understood at all: a 400 that names the `field`.
    `details` stand in the error for programs, where the dialect has a place for them."""

    def __init__(self, message: str, field: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.details = details


class Loss(msgspec.Struct, frozen=True, array_like=True):
    """Something that was said and does not arrive. `field` is its path in the caller's body, such as `thinking` or
    `messages.3.content.0`; `reason` says why, and what happened instead."""

    field: str
    reason: str


class Value(msgspec.Struct, frozen=True):
    """What all of these values are: compared by what they hold."""


class CacheMark(Value, frozen=True):
    """The prompt up to here is worth caching. `ttl` is Anthropic's ("5m", "1h"); empty: the provider's default."""

    ttl: str = ""
    extras: Extras = ()


# Content


class Unknown(Value, frozen=True):
    """A block, item or event of a type that is not known. `raw` is its JSON as it came from `dialect`."""

    dialect: Dialect
    kind: str
    raw: str
    cache: CacheMark | None = None


class Text(Value, frozen=True):
    """`citations`: JSON text of each, in the form of the dialect it came from (`Unknown` says which)."""

    text: str
    cache: CacheMark | None = None
    citations: tuple[Unknown, ...] = ()
    extras: Extras = ()


class Inline(Value, frozen=True):
    """Data in the request itself: base64 text with its media type."""

    media_type: str
    data: str


class ByURL(Value, frozen=True):
    url: str


class ByFile(Value, frozen=True):
    """A file the provider keeps: only the provider that gave the id knows it."""

    id: str


class InlineText(Value, frozen=True):
    """A document that is plain text."""

    text: str
    media_type: str = "text/plain"


Source = Inline | ByURL | ByFile | InlineText


class Image(Value, frozen=True):
    source: Source
    detail: str = ""
    """OpenAI's low, high, auto or original; empty: not said."""
    cache: CacheMark | None = None
    extras: Extras = ()


class Document(Value, frozen=True):
    source: Source
    title: str = ""
    context: str = ""
    cache: CacheMark | None = None
    extras: Extras = ()


REDACTED: Final = "redacted"


class Seal(Value, frozen=True):
    """The opaque part of a thought, which only its `issuer` can read: Anthropic's signature or redacted data, the
    encrypted content of a Responses reasoning item. `item` is that item's id, for Responses; `REDACTED` for Anthropic's
    redacted data, where they travel without the word for it."""

    issuer: Dialect
    value: str
    item: str = ""


class Thinking(Value, frozen=True):
    """A thought. `redacted`: its text was never shown, only the seal was. `summary`: the text retells the thought."""

    text: str
    seal: Seal | None = None
    redacted: bool = False
    summary: bool = False
    extras: Extras = ()


ToolKind = Literal["function", "custom", "shell", "patch"]
"""`custom`: free text instead of JSON arguments; `shell` and `patch`: OpenAI's local_shell and apply_patch, whose
arguments are the JSON of the call's action."""


class ToolCall(Value, frozen=True):
    """`arguments` is JSON text (an object; "" when none came), or any text for a custom tool. `namespace`: OpenAI's
    group of tools the name is of. `item`: the Responses item's own id, which is not the call's."""

    id: str
    name: str
    arguments: str
    kind: ToolKind = "function"
    namespace: str = ""
    item: str = ""
    cache: CacheMark | None = None
    extras: Extras = ()


class ToolResult(Value, frozen=True):
    """What a call gave. In every dialect its own block, in Chat and Responses a message or item of its own."""

    call: str
    content: tuple[Part, ...] = ()
    is_error: bool = False
    kind: ToolKind = "function"
    cache: CacheMark | None = None
    extras: Extras = ()


class Refusal(Value, frozen=True):
    """Words of the model with which it declines, where a dialect tells them from its text."""

    text: str


Part = Text | Image | Document | Thinking | ToolCall | ToolResult | Refusal | Unknown

# Requests


class Role(StrEnum):
    """`SYSTEM` and `DEVELOPER` may also stand in the middle of a conversation."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    DEVELOPER = "developer"


class Message(Value, frozen=True):
    """One side's words. Tool results are parts of the user's. `plain`: they came as a bare string, not as blocks."""

    role: Role
    content: tuple[Part, ...]
    plain: bool = False
    name: str = ""
    effort: str = ""
    """What Anthropic's per-message `output_config` asks for from here on; empty: nothing."""
    extras: Extras = ()


class Tool(Value, frozen=True):
    """A tool of the caller's. `schema` is JSON text; a custom tool's is its grammar (OpenAI's `format`), or empty."""

    name: str
    description: str | None = None
    schema: str = ""
    kind: ToolKind = "function"
    namespace: str = ""
    strict: bool | None = None
    cache: CacheMark | None = None
    extras: Extras = ()


class ProviderTool(Value, frozen=True):
    """A tool the provider runs itself or has its own name for (web search, code execution, computer). `raw`: as it
    came from `dialect`."""

    dialect: Dialect
    kind: str
    raw: str
    name: str = ""


class ToolChoice(Value, frozen=True):
    """`mode` "tool" names the one tool that must be called; "allowed" keeps to `names`, and `name` says whether one of
    them must be called (required) or may be (auto)."""

    mode: Literal["auto", "none", "required", "tool", "allowed"]
    name: str = ""
    names: tuple[str, ...] = ()
    kind: ToolKind = "function"


class Sampling(Value, frozen=True):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class Reasoning(Value, frozen=True):
    """How much to think. `mode`: Anthropic's enabled, disabled, adaptive, or empty. `budget_tokens` and `effort` (none,
    minimal, low, medium, high, xhigh, max) are two ways to say one thing; each dialect is told the one it knows.
    `display`: whether thoughts are to be shown (Anthropic), `summary`: in which form (Responses)."""

    mode: Literal["", "enabled", "disabled", "adaptive"] = ""
    budget_tokens: int | None = None
    effort: str = ""
    display: str = ""
    summary: str = ""
    encrypted: bool = False
    """The caller wants the sealed form back (`include: reasoning.encrypted_content`)."""
    extras: Extras = ()


class OutputFormat(Value, frozen=True):
    """`json` is any JSON, `json_schema` one that fits `schema` (JSON text)."""

    kind: Literal["text", "json", "json_schema"]
    schema: str = ""
    name: str = ""
    description: str = ""
    strict: bool | None = None


class Request(Value, frozen=True):
    """One call of a model. Texts in `system` come before the conversation; None and empty: not said.

    `cache_key`: what ties the requests of one conversation together (OpenAI's `prompt_cache_key`, Claude Code's
    session). `user`: whom the request is for, opaque. `metadata`: pairs for the provider's logs. `tag`: unique to the
    exchange; ids that the provider leaves out of its answer are made from it. `dialect`: which one it came in, and
    whose words the extras are.
    """

    model: str
    messages: tuple[Message, ...]
    system: tuple[Part, ...] = ()
    system_plain: bool = False
    tools: tuple[Tool | ProviderTool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool | None = None
    sampling: Sampling = Sampling()
    reasoning: Reasoning | None = None
    output_format: OutputFormat | None = None
    verbosity: str = ""
    cache_key: str = ""
    user: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    service_tier: str = ""
    store: bool | None = None
    previous_response: str = ""
    dialect: Dialect | None = None
    compact: Literal["", "item", "window"] = ""
    """The conversation is to be summed up instead of answered: as one item of a response, or as Responses' compacted
    window."""
    tag: str = ""
    extras: Extras = ()
