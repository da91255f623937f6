"""What a family of providers takes and how it speaks, as data: the encoders and decoders ask these fields, nothing asks
for a provider's name. `profiles.py` has the rows."""

from __future__ import annotations

from typing import Literal

import msgspec

API = Literal["chat", "responses"]
SAMPLING = frozenset({"temperature", "top_p", "stop", "seed", "presence_penalty", "frequency_penalty"})


class ReasoningStyle(msgspec.Struct, frozen=True):
    """How thinking is asked for and how it comes, over Chat Completions.

    `ask`: the request field that carries the wish: OpenAI's `reasoning_effort`, OpenRouter's `reasoning` object, the
    `thinking` object of DeepSeek and others, `enable_thinking` in `chat_template_kwargs` of engines that run open
    models, Cerebras' `disable_reasoning`; "none": it cannot be sent. `efforts`: those it knows, weakest first; another
    one is told as the nearest. `history`: what becomes of earlier thoughts: sent back as that field, inside <think>
    tags, or left out. `tags`: <think> tags at the beginning of an answer are read as thoughts.
    """

    ask: Literal["none", "reasoning_effort", "reasoning", "thinking", "chat_template_kwargs", "disable_reasoning"] = (
        "none"
    )
    efforts: tuple[str, ...] = ("low", "medium", "high")
    history: Literal["drop", "reasoning_content", "reasoning", "tags"] = "drop"
    tags: bool = True


class Profile(msgspec.Struct, frozen=True):
    """One row. The defaults are those of an engine of which nothing is known but that it speaks Chat Completions.

    `hosts`: host names (and what ends in `.` + host) at which it is recognised. `apis`: which of the OpenAI APIs the
    provider offers; a caller of one that is missing is translated to the first.
    `max_tokens_field`, `max_tokens_cap`: the field's name, and the most it takes (None: no limit is known).
    `fields`: of the optional request fields, those it takes: the others are left out and noted as a Loss.
    `include_usage`: takes `stream_options`. `stops_cap`: the most stop sequences.
    `images`, `documents`, `tools`: whether it can take them at all. `text_parts`: takes text as a list of parts.
    `tool_choices`: the modes it takes; another one is told as the nearest. `strict_tools`: takes `strict`.
    `custom_tools`: takes tools of free text. `schema_refuses`: keywords it refuses anywhere in a tool's schema.
    `rescue_text_calls`: tool calls that come as text or XML are read as calls, where tools were offered.
    `cache_control`: takes Anthropic's cache breakpoints. `system_role`: how the system prompt is called;
    `system_anywhere`: takes one in mid-conversation too.
    """

    name: str
    hosts: tuple[str, ...] = ()
    apis: tuple[API, ...] = ("chat",)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    max_tokens_cap: int | None = None
    fields: frozenset[str] = SAMPLING | {"response_format"}
    include_usage: bool = True
    stops_cap: int | None = None
    images: bool = True
    documents: bool = False
    tools: bool = True
    text_parts: bool = False
    tool_choices: frozenset[str] = frozenset({"auto", "none", "required", "tool"})
    strict_tools: bool = False
    custom_tools: bool = False
    schema_refuses: frozenset[str] = frozenset()
    rescue_text_calls: bool = False
    cache_control: bool = False
    system_role: Literal["system", "developer"] = "system"
    system_anywhere: bool = False
    reasoning: ReasoningStyle = ReasoningStyle()
