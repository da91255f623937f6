"""What a family of providers takes and how it speaks, as data: the encoders and decoders ask these fields, nothing asks
for a provider's name. `profiles.py` has the rows."""

from __future__ import annotations

from typing import Literal

import msgspec


class ReasoningStyle(msgspec.Struct, frozen=True):
    """How thinking is asked for and how it comes, over Chat Completions.

    `ask`: the request field that carries the wish: OpenAI's `reasoning_effort`, OpenRouter's `reasoning` object,
    DeepSeek's and Anthropic-like `thinking` object, Qwen's `enable_thinking` in `chat_template_kwargs`; "none": the
    wish cannot be sent. `efforts`: the efforts it knows, weakest first; another one is told the nearest.
    `history`: what becomes of earlier thoughts: sent back as that field, inside <think> tags, or left out.
    `tags`: <think> tags in the text are read as thoughts.
    """

    ask: Literal["none", "reasoning_effort", "reasoning", "thinking", "chat_template_kwargs"] = "reasoning_effort"
    efforts: tuple[str, ...] = ("low", "medium", "high")
    history: Literal["drop", "reasoning_content", "reasoning", "tags"] = "drop"
    tags: bool = True


class Profile(msgspec.Struct, frozen=True):
    """One row. The defaults are those of an engine of which nothing is known but that it speaks Chat Completions.

    `hosts`: host names (and what ends in `.` + host) at which it is recognised. `apis`: which of the OpenAI APIs the
    provider offers; a caller of one that is missing is translated to the first.
    `max_tokens_field`, `max_tokens_cap`: the field's name, and the most it takes (None: no limit is known).
    `fields`: of the optional request fields, those it takes: the others are left out and noted as a Loss.
    `images`, `documents`, `tools`: whether it can take them at all.
    `tool_choices`: the modes it takes; another one is told as the nearest. `strict_tools`: takes `strict`.
    `schema_refuses`: keywords it refuses anywhere in a tool's schema. `rescue_text_calls`: tool calls that come as
    text or XML are read as calls, where tools were offered. `cache_control`: takes Anthropic's cache breakpoints.
    `roles`: how the system prompt is called.
    """

    name: str
    hosts: tuple[str, ...] = ()
    apis: tuple[Literal["chat", "responses"], ...] = ("chat",)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    max_tokens_cap: int | None = None
    fields: frozenset[str] = frozenset()
    include_usage: bool = True
    images: bool = True
    documents: bool = False
    tools: bool = True
    tool_choices: frozenset[str] = frozenset({"auto", "none", "required", "tool"})
    strict_tools: bool = False
    schema_refuses: frozenset[str] = frozenset()
    rescue_text_calls: bool = False
    cache_control: bool = False
    system_role: Literal["system", "developer"] = "system"
    reasoning: ReasoningStyle = ReasoningStyle()


DEFAULT_PROFILE = Profile("default")
