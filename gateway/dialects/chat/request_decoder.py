"""A request of Chat Completions as a neutral one."""

from __future__ import annotations

from typing import Any, Final

from gateway.dialects.chat.messages_decoder import decode_messages
from gateway.dialects.names import Dialect
from gateway.dialects.raw_object import RawObject, read_object
from gateway.dialects.turn import (
    CacheMark,
    OutputFormat,
    ProviderTool,
    Reasoning,
    Refused,
    Request,
    Sampling,
    Tool,
    ToolChoice,
)

_KNOWN: Final = frozenset(
    {
        "model", "messages", "tools", "functions", "tool_choice", "function_call", "parallel_tool_calls", "max_tokens",
        "max_completion_tokens", "stream", "stream_options", "temperature", "top_p", "top_k", "stop", "seed",
        "presence_penalty", "frequency_penalty", "reasoning_effort", "reasoning", "thinking", "response_format",
        "verbosity", "prompt_cache_key", "user", "safety_identifier", "metadata", "service_tier", "n",
    }
)  # fmt: skip
_IN_FUNCTION: Final = frozenset({"name", "description", "parameters", "strict"})


def decode_request(body: bytes) -> Request:
    """Raises Refused."""
    read = read_object(body)
    if not read.text("model"):
        raise Refused("model is needed.", "model")
    if (read.integer("n") or 1) > 1:
        raise Refused("n: only one answer at a time is possible with this model. Leave n out.", "n")
    options = read.child("stream_options")
    metadata = read.child("metadata")
    limit = read.integer("max_completion_tokens")
    return Request(
        model=read.text("model"),
        messages=decode_messages(read),
        tools=_tools(read),
        tool_choice=_choice(read),
        parallel_tool_calls=read.flag("parallel_tool_calls"),
        max_tokens=limit if limit is not None else read.integer("max_tokens"),
        stream=bool(read.flag("stream")),
        include_usage=options.flag("include_usage") if options is not None else None,
        sampling=_sampling(read),
        reasoning=_reasoning(read),
        output_format=_output_format(read.child("response_format")),
        verbosity=read.text("verbosity"),
        cache_key=read.text("prompt_cache_key"),
        user=read.text("safety_identifier") or read.text("user"),
        metadata=tuple((name, metadata.text(name)) for name in metadata.members) if metadata is not None else (),
        service_tier=read.text("service_tier"),
        dialect=Dialect.CHAT,
        extras=read.extras(_KNOWN if read.flag("store") else _KNOWN | {"store"}),
    )


def _sampling(read: RawObject) -> Sampling:
    stop = (read.text("stop"),) if read.kind_of("stop") == '"' else read.texts("stop")
    return Sampling(
        temperature=read.number("temperature"),
        top_p=read.number("top_p"),
        top_k=read.integer("top_k"),
        stop=stop,
        seed=read.integer("seed"),
        presence_penalty=read.number("presence_penalty"),
        frequency_penalty=read.number("frequency_penalty"),
    )


def _tools(read: RawObject) -> tuple[Tool | ProviderTool, ...]:
    tools = [_tool(tool) for tool in read.children("tools")]
    return (*tools, *(_function(function) for function in read.children("functions")))


def _tool(tool: RawObject) -> Tool | ProviderTool:
    function, custom = tool.child("function"), tool.child("custom")
    if function is not None:
        mark = tool.child("cache_control")
        return _function(function, CacheMark(mark.text("ttl")) if mark is not None else None)
    if custom is not None:
        form = custom.child("format")
        inner = form.child("grammar") if form is not None else None
        grammar = (inner or form).json_text() if form is not None else ""
        return Tool(custom.text("name"), custom.text("description") or None, grammar, "custom")
    return ProviderTool(Dialect.CHAT, tool.text("type"), tool.json_text(), tool.text("name"))


def _function(function: RawObject, cache: CacheMark | None = None) -> Tool:
    description = function.text("description") if function.has("description") else None
    return Tool(
        function.text("name"),
        description,
        function.json("parameters"),
        strict=function.flag("strict"),
        cache=cache,
        extras=function.extras(_IN_FUNCTION),
    )


def _choice(read: RawObject) -> ToolChoice | None:
    name = "tool_choice" if read.has("tool_choice") else "function_call"
    if not read.has(name):
        return None
    if read.kind_of(name) == '"':
        mode: Any = {"any": "required"}.get(read.text(name), read.text(name))
        if mode not in ("auto", "none", "required"):
            raise Refused(f"{name} must be auto, none, required or an object that names a tool.", name)
        return ToolChoice(mode)
    return _choice_of(read.child(name) or read)


def _choice_of(choice: RawObject) -> ToolChoice:
    allowed = choice.child("allowed_tools")
    if allowed is not None:
        functions = [tool.child("function") or tool.child("custom") or tool for tool in allowed.children("tools")]
        return ToolChoice("allowed", allowed.text("mode"), tuple(function.text("name") for function in functions))
    custom = choice.child("custom")
    if custom is not None:
        return ToolChoice("tool", custom.text("name"), kind="custom")
    return ToolChoice("tool", (choice.child("function") or choice).text("name"))


def _reasoning(read: RawObject) -> Reasoning | None:
    """OpenAI's effort, OpenRouter's `reasoning` object or the `thinking` object of several providers."""
    thinking, wish = read.child("thinking"), read.child("reasoning")
    effort = read.text("reasoning_effort") or (wish.text("effort") if wish is not None else "")
    budget = wish.integer("max_tokens") if wish is not None else None
    mode: Any = ""
    if thinking is not None:
        mode = thinking.text("type")
        if mode not in ("enabled", "disabled", "adaptive"):
            raise Refused("thinking.type must be enabled, disabled or adaptive.", "thinking.type")
        budget = thinking.integer("budget_tokens")
    if not (mode or effort or budget is not None):
        return None
    return Reasoning(mode, budget, effort)


def _output_format(form: RawObject | None) -> OutputFormat | None:
    kind = form.text("type") if form is not None else ""
    if form is None or kind == "text":
        return OutputFormat("text") if kind else None
    if kind == "json_object":
        return OutputFormat("json")
    schema = form.child("json_schema")
    if kind != "json_schema" or schema is None:
        raise Refused("response_format.type must be text, json_object or json_schema.", "response_format")
    return OutputFormat(
        "json_schema", schema.json("schema"), schema.text("name"), schema.text("description"), schema.flag("strict")
    )
