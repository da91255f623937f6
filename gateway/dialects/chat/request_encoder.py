"""A neutral request in the words of Chat Completions, as far as the provider's profile knows them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.dialects.allowed_tools import keep_to_allowed
from gateway.dialects.chat.messages_encoder import MessagesEncoder
from gateway.dialects.codec import EncodedRequest
from gateway.dialects.efforts import effort_of
from gateway.dialects.foreign_tools import as_function, chosen_name
from gateway.dialects.json_text import dump, raw
from gateway.dialects.json_values import NotJSONError, is_object, read_json, write_json
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.tool_schemas import object_schema
from gateway.dialects.turn import Loss, OutputFormat, Reasoning, Refused, Request, Tool, ToolChoice

PATH: Final = b"/v1/chat/completions"
_NEAREST: Final = {"tool": ("tool", "required", "auto"), "required": ("required", "auto")}
_TIERS: Final = {"standard_only": "default"}
_NOT_TAKEN: Final = "this provider does not take it; it was left out"
_STRICT: Final = Loss("tools[].strict", _NOT_TAKEN)


def encode_request(request: Request, profile: Profile) -> EncodedRequest:
    """Raises Refused for content the provider cannot take."""
    losses: list[Loss] = []
    request = keep_to_allowed(request)
    body: dict[str, Any] = {"model": request.model, "messages": MessagesEncoder(profile, losses).encode(request)}
    _add_tools(body, request, profile, losses)
    if request.max_tokens is not None:
        limit = min(request.max_tokens, profile.max_tokens_cap or request.max_tokens)
        body[profile.max_tokens_field] = limit
        if limit < request.max_tokens:
            losses.append(Loss("max_tokens", f"the provider's limit is {limit}"))
    if request.stream:
        body["stream"] = True
        if profile.include_usage:
            body["stream_options"] = {"include_usage": True}
    _add_sampling(body, request, profile, losses)
    _add_reasoning(body, request.reasoning, profile, losses)
    _add_format(body, request.output_format, profile, losses)
    _add_rest(body, request, profile, losses)
    return EncodedRequest(PATH, dump(body), tuple(losses))


def _add_tools(body: dict[str, Any], request: Request, profile: Profile, losses: list[Loss]) -> None:
    tools: list[Any] = []
    for number, tool in enumerate(request.tools):
        if isinstance(tool, Tool):
            tools.append(_tool(tool, profile, losses))
        elif tool.dialect is Dialect.CHAT:
            tools.append(raw(tool.raw))
        else:
            losses.append(Loss(f"tools.{number}", f"the tool {tool.kind} is its provider's own; it was left out"))
    if request.tools and (not tools or not profile.tools):
        kinds = ", ".join(sorted({tool.kind for tool in request.tools}))
        raise Refused(f"tools: {kinds} cannot be used with this model. Use one that has them.", "tools")
    if not tools:
        return
    body["tools"] = tools
    if request.tool_choice is not None:
        body["tool_choice"] = _choice(request, request.tool_choice, profile, losses)
    if request.parallel_tool_calls is not None:
        if "parallel_tool_calls" in profile.fields:
            body["parallel_tool_calls"] = request.parallel_tool_calls
        else:
            losses.append(Loss("parallel_tool_calls", _NOT_TAKEN))


def _tool(tool: Tool, profile: Profile, losses: list[Loss]) -> dict[str, Any]:
    if tool.kind == "custom" and profile.custom_tools and not tool.namespace:
        return {"type": "custom", "custom": _custom(tool)}
    tool = as_function(tool)
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = _schema(object_schema(tool.schema), profile)
    if tool.strict is not None and profile.strict_tools:
        function["strict"] = tool.strict
    elif tool.strict and _STRICT not in losses:
        losses.append(_STRICT)
    said: dict[str, Any] = {"type": "function", "function": function}
    if tool.cache is not None and profile.cache_control:
        said["cache_control"] = {"type": "ephemeral"}
    return said


def _custom(tool: Tool) -> dict[str, Any]:
    custom: dict[str, Any] = {"name": tool.name}
    if tool.description:
        custom["description"] = tool.description
    grammar = read_json(tool.schema.encode()).value if tool.schema else None
    if is_object(grammar) and "syntax" in grammar:
        inner = {key: value for key, value in grammar.items() if key != "type"}
        custom["format"] = {"type": "grammar", "grammar": inner}
    return custom


def _schema(schema: str, profile: Profile) -> Any:
    """The schema without the keywords the provider refuses."""
    if not any(f'"{keyword}"' in schema for keyword in profile.schema_refuses):
        return raw(schema)
    try:
        return msgspec.Raw(write_json(without_keywords(read_json(schema.encode()).value, profile.schema_refuses)))
    except NotJSONError:
        return raw(schema)


def without_keywords(schema: Any, refused: frozenset[str]) -> Any:
    """`schema` without `refused` keywords; a property that is called like one stays."""
    if isinstance(schema, list):
        return [without_keywords(item, refused) for item in schema]
    if not is_object(schema):
        return schema
    kept: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs", "definitions") and is_object(value):
            kept[key] = {name: without_keywords(rule, refused) for name, rule in value.items()}
        elif key not in refused:
            kept[key] = value if key in ("enum", "const", "default") else without_keywords(value, refused)
    return kept


def _choice(request: Request, choice: ToolChoice, profile: Profile, losses: list[Loss]) -> Any:
    modes = _NEAREST.get(choice.mode, (choice.mode, "auto"))
    mode = next((mode for mode in modes if mode in profile.tool_choices), "auto")
    if mode != choice.mode:
        losses.append(Loss("tool_choice", f"{choice.mode} is not taken by this provider; it was told {mode}"))
    if mode == "tool":
        kind = "custom" if choice.kind == "custom" and profile.custom_tools else "function"
        return {"type": kind, kind: {"name": chosen_name(choice, request.tools, Dialect.CHAT)}}
    return mode


def _add_sampling(body: dict[str, Any], request: Request, profile: Profile, losses: list[Loss]) -> None:
    sampling = request.sampling
    for name in ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty"):
        value = getattr(sampling, name)
        if value is None:
            continue
        if name in profile.fields:
            body[name] = value
        else:
            losses.append(Loss(name, _NOT_TAKEN))
    stops = sampling.stop[: profile.stops_cap]
    if stops:
        body["stop"] = list(stops)
    if len(stops) < len(sampling.stop):
        losses.append(Loss("stop_sequences", f"this provider takes {len(stops)}"))


def _add_reasoning(body: dict[str, Any], wish: Reasoning | None, profile: Profile, losses: list[Loss]) -> None:
    if wish is None:
        return
    style = profile.reasoning
    effort = effort_of(wish, style.efforts)
    wished = wish.mode in ("enabled", "adaptive") or wish.budget_tokens is not None or wish.effort not in ("", "none")
    on = wished and wish.mode != "disabled"
    if style.ask == "reasoning_effort":
        _ask_effort(body, effort, on, losses)
    elif style.ask == "reasoning":
        body["reasoning"] = _reasoning_object(wish, effort, on)
    elif style.ask == "thinking":
        body["thinking"] = {"type": "enabled" if on else "disabled"}
    elif style.ask == "chat_template_kwargs":
        body["chat_template_kwargs"] = {"enable_thinking": on, "thinking": on}
    elif style.ask == "disable_reasoning":
        body["disable_reasoning"] = not on
    elif on:
        losses.append(Loss("thinking", "how this provider is asked to think is not known; it may think or not"))
    if wish.budget_tokens is not None and style.ask != "reasoning":
        losses.append(Loss("thinking.budget_tokens", f"told as effort {effort}" if effort else _NOT_TAKEN))


def _ask_effort(body: dict[str, Any], effort: str, on: bool, losses: list[Loss]) -> None:
    if effort:
        body["reasoning_effort"] = effort
    elif not on:
        losses.append(Loss("thinking", "this provider cannot be told not to think; the model may"))


def _reasoning_object(wish: Reasoning, effort: str, on: bool) -> dict[str, Any]:
    if not on:
        return {"enabled": False}
    if wish.budget_tokens is not None and not wish.effort:
        return {"max_tokens": wish.budget_tokens}
    return {"effort": effort} if effort else {"enabled": True}


def _add_format(body: dict[str, Any], form: OutputFormat | None, profile: Profile, losses: list[Loss]) -> None:
    if form is None or (form.kind == "text" and "response_format" not in profile.fields):
        return
    if "response_format" not in profile.fields:
        losses.append(Loss("output_config.format", _NOT_TAKEN))
    elif form.kind == "json_schema":
        schema: dict[str, Any] = {"name": form.name or "answer", "schema": _schema(form.schema, profile)}
        if form.description:
            schema["description"] = form.description
        if form.strict is not None or form.name == "":
            schema["strict"] = True if form.strict is None else form.strict
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    else:
        body["response_format"] = {"type": "json_object" if form.kind == "json" else "text"}


def _add_rest(body: dict[str, Any], request: Request, profile: Profile, losses: list[Loss]) -> None:
    optional = {
        "prompt_cache_key": request.cache_key[:64],
        "safety_identifier": request.user[:64],
        "verbosity": request.verbosity,
        "service_tier": _TIERS.get(request.service_tier, request.service_tier),
    }
    for name, value in optional.items():
        if not value:
            continue
        if name in profile.fields:
            body[name] = value
        elif name != "prompt_cache_key":
            losses.append(Loss(name, _NOT_TAKEN))
    if request.metadata:
        losses.append(Loss("metadata", "it is kept with stored answers, and none is stored there"))
    for name, value in request.extras:
        if request.dialect is Dialect.CHAT:
            body[name] = raw(value)
        else:
            losses.append(Loss(name, "Chat Completions does not know it; it was left out"))
