"""A neutral request in the words of the Messages API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.dialects.allowed_tools import keep_to_allowed
from gateway.dialects.anthropic.blocks import encode_cache, encode_content
from gateway.dialects.anthropic.models import family_of
from gateway.dialects.anthropic.turns import arrange_turns
from gateway.dialects.codec import EncodedRequest
from gateway.dialects.efforts import LEAST_BUDGET, budget_of_effort, effort_of_budget
from gateway.dialects.foreign_tools import as_function, chosen_name
from gateway.dialects.json_text import dump, raw
from gateway.dialects.names import Dialect
from gateway.dialects.profile import Profile
from gateway.dialects.tool_schemas import object_schema
from gateway.dialects.turn import (
    CacheMark,
    Loss,
    Message,
    Part,
    ProviderTool,
    Reasoning,
    Refused,
    Request,
    Role,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
)

LEAST_TOP_P: Final = 0.95
"""While thinking."""
PATH: Final = b"/v1/messages"
_EFFORT_BETA: Final = "effort-2025-11-24"
_FORMAT_BETA: Final = "structured-outputs-2025-12-15"
_EFFORTS: Final = {"none": "low", "minimal": "low"}
_TIERS: Final = {"default": "standard_only", "standard_only": "standard_only", "auto": "auto"}
_MODES: Final = {"auto": "auto", "none": "none", "required": "any", "tool": "tool"}
_MOST_MARKS: Final = 4

replace = msgspec.structs.replace


def encode_request(request: Request, profile: Profile) -> EncodedRequest:
    """Raises Refused for content that Anthropic cannot take."""
    losses: list[Loss] = []
    request = keep_to_allowed(request)
    system, messages = arrange_turns(request, losses)
    thinking = _Thinking(request, messages)
    tools = _tools(request, losses)
    if not _has_marks(request):
        system, messages, tools = _originate_marks(system, messages, tools)
    family = family_of(request.model)
    limit = request.max_tokens or thinking.room(family.output)
    limit = min(limit, profile.max_tokens_cap or limit)
    body: dict[str, Any] = {"model": request.model, "max_tokens": thinking.at_least(limit)}
    if system:
        plain = request.system_plain and len(system) == 1 and isinstance(system[0], Text) and system[0].cache is None
        body["system"] = system[0].text if plain and isinstance(system[0], Text) else encode_content(system)
    body["messages"] = [_message(message) for message in messages]
    if tools:
        body["tools"] = tools
        body |= _choice(request, thinking.on, losses)
    if request.stream:
        body["stream"] = True
    _add_sampling(body, request.sampling, thinking.on, losses)
    betas = thinking.add(body, losses)
    if _add_format(body, request, losses) or any(isinstance(tool, Tool) and tool.strict for tool in request.tools):
        betas.append(_FORMAT_BETA)
    _add_rest(body, request, losses)
    headers = ((b"anthropic-beta", ",".join(betas).encode()),) if betas else ()
    return EncodedRequest(PATH, dump(body), tuple(losses), headers)


def _message(message: Message) -> dict[str, Any]:
    content = encode_content(message.content)
    only = message.content[0] if len(message.content) == 1 else None
    said: dict[str, Any] = {"role": message.role.value, "content": content}
    if message.plain and isinstance(only, Text) and only.cache is None:
        said["content"] = only.text
    if message.effort:
        said["output_config"] = {"effort": message.effort}
    return said | {name: raw(value) for name, value in message.extras}


def _tools(request: Request, losses: list[Loss]) -> list[dict[str, Any] | msgspec.Raw]:
    encoded: list[dict[str, Any] | msgspec.Raw] = []
    for number, tool in enumerate(request.tools):
        if isinstance(tool, Tool):
            encoded.append(_tool(tool))
        elif tool.dialect is Dialect.ANTHROPIC:
            encoded.append(raw(tool.raw))
        else:
            losses.append(Loss(f"tools.{number}", f"the tool {tool.kind} is its provider's own; it was left out"))
    if request.tools and not encoded and not any(isinstance(tool, Tool) for tool in request.tools):
        kinds = ", ".join(tool.kind for tool in request.tools if isinstance(tool, ProviderTool))
        raise Refused(f"tools: {kinds} cannot be used with this model: only its own provider runs it.", "tools")
    return encoded


def _tool(tool: Tool) -> dict[str, Any]:
    function = as_function(tool)
    encoded: dict[str, Any] = {"name": function.name}
    if function.description is not None:
        encoded["description"] = function.description
    encoded["input_schema"] = raw(object_schema(function.schema))
    if function.strict:
        encoded["strict"] = True
    if function.cache is not None:
        encoded["cache_control"] = encode_cache(function.cache)
    return encoded | {name: raw(value) for name, value in function.extras}


def _choice(request: Request, thinks: bool, losses: list[Loss]) -> dict[str, Any]:
    choice = request.tool_choice
    if choice is None and request.parallel_tool_calls is None:
        return {}
    choice = choice or ToolChoice("auto")
    mode = _MODES[choice.mode]
    if thinks and mode in ("any", "tool"):
        losses.append(Loss("tool_choice", "Anthropic does not force a call while thinking; the model may choose"))
        mode = "auto"
    said: dict[str, Any] = {"type": mode}
    if mode == "tool":
        said["name"] = chosen_name(choice, request.tools, Dialect.ANTHROPIC)
    if request.parallel_tool_calls is not None and mode != "none":
        said["disable_parallel_tool_use"] = not request.parallel_tool_calls
    return {"tool_choice": said}


def _add_sampling(body: dict[str, Any], sampling: Sampling, thinks: bool, losses: list[Loss]) -> None:
    if thinks and (sampling.temperature not in (None, 1.0) or sampling.top_k is not None):
        losses.append(Loss("temperature", "Anthropic does not take it while thinking"))
    elif sampling.temperature is not None:
        body["temperature"] = min(sampling.temperature, 1.0)
        if sampling.temperature > 1.0:
            losses.append(Loss("temperature", "Anthropic's ends at 1"))
    if sampling.top_k is not None and not thinks:
        body["top_k"] = sampling.top_k
    _add_top_p(body, sampling.top_p, thinks, losses)
    stops = [text for text in sampling.stop if text.strip()]
    if stops:
        body["stop_sequences"] = stops
    if len(stops) < len(sampling.stop):
        losses.append(Loss("stop", "Anthropic takes no sequences of blanks"))
    for name in ("seed", "presence_penalty", "frequency_penalty"):
        if getattr(sampling, name) is not None:
            losses.append(Loss(name, "Anthropic does not know it"))


def _add_top_p(body: dict[str, Any], top_p: float | None, thinks: bool, losses: list[Loss]) -> None:
    if top_p is None:
        return
    if "temperature" in body or (thinks and top_p < LEAST_TOP_P):
        losses.append(Loss("top_p", "Anthropic does not take it beside temperature, nor a small one while thinking"))
    else:
        body["top_p"] = top_p


class _Thinking:
    """Whether and how the model is to think. `on`: it will."""

    def __init__(self, request: Request, messages: Iterable[Message]) -> None:
        self._style = family_of(request.model).thinking
        self._wish = wish = request.reasoning or Reasoning()
        asked = wish.mode in ("enabled", "adaptive") or (
            wish.mode == "" and (wish.budget_tokens is not None or wish.effort not in ("", "none", "minimal"))
        )
        self._broken = asked and self._style == "budget" and _continues_without_thought(list(messages))
        self.on = asked and self._style != "none" and not self._broken
        self._asked = asked
        effort = wish.effort or (effort_of_budget(wish.budget_tokens) if wish.budget_tokens is not None else "")
        self._effort = _EFFORTS.get(effort, effort)
        self._budget = max(LEAST_BUDGET, wish.budget_tokens or budget_of_effort(wish.effort) or LEAST_BUDGET)

    def room(self, output: int) -> int:
        """The output limit where none is asked for: with a budget, its tokens count too."""
        return output + self._budget if self.on and self._style == "budget" else output

    def at_least(self, limit: int) -> int:
        """The output limit, with room for the smallest budget."""
        return max(limit, 2 * LEAST_BUDGET) if self.on and self._style == "budget" else limit

    def add(self, body: dict[str, Any], losses: list[Loss]) -> list[str]:
        """Say it; returns the betas it needs."""
        if self._broken:
            losses.append(Loss("reasoning", "the last call was made without Anthropic's thought; it goes on without"))
        elif self._asked and not self.on:
            losses.append(Loss("reasoning", "this model does not think"))
        elif self.on:
            body["thinking"] = self._thinking(body["max_tokens"])
        elif self._wish.mode == "disabled":
            body["thinking"] = {"type": "disabled"}
        if not self._effort or self._style == "none" or (self._style == "budget" and self._wish.mode == ""):
            return []
        body["output_config"] = {"effort": self._effort}
        return [_EFFORT_BETA]

    def _thinking(self, limit: int) -> dict[str, Any]:
        said: dict[str, Any] = {"type": "adaptive"}
        if self._wish.mode == "enabled" or self._style == "budget":
            said = {"type": "enabled", "budget_tokens": min(self._budget, limit - limit // 4)}
        if self._wish.display:
            said["display"] = self._wish.display
        elif self._wish.summary and said["type"] == "adaptive":
            said["display"] = "summarized"  # newer models show nothing unless they are asked to
        return said | {name: raw(value) for name, value in self._wish.extras}


def _continues_without_thought(messages: list[Message]) -> bool:
    """Whether the model is in the midst of calling tools and its last turn does not begin with a thought of its own:
    Anthropic refuses to begin thinking there."""
    last = next((message for message in reversed(messages) if message.role is Role.ASSISTANT), None)
    if last is None or not any(isinstance(part, ToolCall) for part in last.content):
        return False
    return not isinstance(last.content[0], Thinking)


def _add_format(body: dict[str, Any], request: Request, losses: list[Loss]) -> bool:
    """Whether there is a form to keep to."""
    form = request.output_format
    if form is None or form.kind == "text":
        return False
    if form.kind == "json":
        losses.append(Loss("response_format", "Anthropic knows JSON by a schema only; the prompt has to ask for it"))
        return False
    config = body.setdefault("output_config", {})
    config["format"] = {"type": "json_schema", "schema": raw(form.schema)}
    return True


def _add_rest(body: dict[str, Any], request: Request, losses: list[Loss]) -> None:
    own = _is_own(request)
    if request.user:
        body["metadata"] = {"user_id": request.user}
    if request.service_tier:
        body["service_tier"] = _TIERS.get(request.service_tier, "auto")
        if request.service_tier not in _TIERS:
            losses.append(Loss("service_tier", f"Anthropic has no tier {request.service_tier}; it was told auto"))
    for name, value in request.extras:
        if not own:
            losses.append(Loss(name, "the Messages API does not know it; it was left out"))
        elif name.startswith("output_config."):
            body.setdefault("output_config", {})[name.removeprefix("output_config.")] = raw(value)
        else:
            body[name] = raw(value)
    if request.metadata:
        losses.append(Loss("metadata", "Anthropic keeps none but the user's id"))
    if request.verbosity:
        losses.append(Loss("verbosity", "Anthropic does not know it"))


def _is_own(request: Request) -> bool:
    return request.dialect is Dialect.ANTHROPIC


def _has_marks(request: Request) -> bool:
    parts: Iterable[Part] = (part for message in request.messages for part in message.content)
    marked = any(getattr(part, "cache", None) is not None for part in (*request.system, *parts))
    return (
        marked or _is_own(request) or any(isinstance(tool, Tool) and tool.cache is not None for tool in request.tools)
    )


def _originate_marks(
    system: tuple[Part, ...], messages: tuple[Message, ...], tools: list[Any]
) -> tuple[tuple[Part, ...], tuple[Message, ...], list[Any]]:
    """Mark what the next request will begin with: the tools, the system prompt and the last two turns of the user's.
    A single question without tools is not worth the price of writing a cache."""
    users = [number for number, message in enumerate(messages) if message.role is Role.USER]
    if not tools and len(users) < 2:
        return system, messages, tools
    if tools and isinstance(tools[-1], dict):
        tools = [*tools[:-1], {**tools[-1], "cache_control": {"type": "ephemeral"}}]
    marked = list(messages)
    for number in users[-(_MOST_MARKS - 2) :]:
        marked[number] = _mark(marked[number])
    return _mark_last(system), tuple(marked), tools


def _mark(message: Message) -> Message:
    return replace(message, content=_mark_last(message.content), plain=False)


def _mark_last(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    if not parts or not hasattr(parts[-1], "cache") or (isinstance(parts[-1], Text) and not parts[-1].text):
        return parts
    return (*parts[:-1], replace(parts[-1], cache=CacheMark()))
