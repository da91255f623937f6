"""A neutral request in the words of the Responses API."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from gateway.dialects.codec import EncodedRequest
from gateway.dialects.efforts import effort_of
from gateway.dialects.profile import Profile
from gateway.dialects.responses.history_items import encode_history
from gateway.dialects.responses.request_decoder import ENCRYPTED
from gateway.dialects.responses.tools import encode_choice, encode_tools, fit_choice, fit_tool
from gateway.dialects.turn import Loss, OutputFormat, Reasoning, Refused, Request, Sampling, Text

PATH: Final = b"/v1/responses"
LEAST_OUTPUT: Final = 16
"""The API refuses a smaller limit."""
MOST_METADATA: Final = 16
_TIERS: Final = {"standard_only": "default", "standard": "default", "batch": "flex"}


def encode_request(request: Request, profile: Profile) -> EncodedRequest:
    """Raises Refused for content and tools the provider cannot take."""
    losses: list[Loss] = []
    body: dict[str, Any] = {"model": request.model}
    if request.system:
        body["instructions"] = "\n\n".join(part.text for part in request.system if isinstance(part, Text))
    body["input"] = encode_history(request.messages, losses)
    _add_tools(body, request, profile, losses)
    _add_limit(body, request, profile, losses)
    _add_sampling(body, request.sampling, profile, losses)
    _add_reasoning(body, request.reasoning, profile, losses)
    _add_text(body, request)
    _add_rest(body, request)
    losses += [Loss(name, "the Responses API does not know it; it was left out") for name, _ in request.extras]
    return EncodedRequest(PATH, msgspec.json.encode(body), tuple(losses))


def _add_tools(body: dict[str, Any], request: Request, profile: Profile, losses: list[Loss]) -> None:
    tools = encode_tools(map(fit_tool, request.tools), profile, losses)
    if request.tools and not tools:
        kinds = ", ".join(sorted({tool.kind for tool in request.tools}))
        raise Refused(f"tools: {kinds} cannot be used with this model: only its own provider runs it.", "tools")
    if not tools:
        return
    body["tools"] = tools
    if request.tool_choice is not None:
        body["tool_choice"] = encode_choice(fit_choice(request.tool_choice, request.tools))
    if request.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = request.parallel_tool_calls


def _add_limit(body: dict[str, Any], request: Request, profile: Profile, losses: list[Loss]) -> None:
    wanted = request.max_tokens
    if wanted is None:
        return
    limit = max(LEAST_OUTPUT, min(wanted, profile.max_tokens_cap or wanted))
    if limit != wanted:
        losses.append(Loss("max_tokens", f"the provider takes {limit} where {wanted} were asked for"))
    body["max_output_tokens"] = limit


def _add_sampling(body: dict[str, Any], sampling: Sampling, profile: Profile, losses: list[Loss]) -> None:
    for name in ("temperature", "top_p"):
        value = getattr(sampling, name)
        if value is None:
            continue
        if name in profile.fields:
            body[name] = value
        else:
            losses.append(Loss(name, "this provider does not take it"))
    for name in ("top_k", "stop", "seed", "presence_penalty", "frequency_penalty"):
        if getattr(sampling, name):
            losses.append(Loss(name, "the Responses API does not know it; it was left out"))


def _add_reasoning(body: dict[str, Any], reasoning: Reasoning | None, profile: Profile, losses: list[Loss]) -> None:
    if reasoning is None or profile.reasoning.ask == "none":
        return
    wish: dict[str, Any] = {}
    effort = effort_of(reasoning, profile.reasoning.efforts)
    if effort:
        wish["effort"] = effort
    thinks = reasoning.mode in ("enabled", "adaptive") or reasoning.encrypted or bool(effort)
    if reasoning.summary or (reasoning.mode in ("enabled", "adaptive") and reasoning.display != "omitted"):
        wish["summary"] = reasoning.summary or "auto"
    if wish:
        body["reasoning"] = wish
    if thinks and reasoning.mode != "disabled":
        body["include"] = [ENCRYPTED]


def _add_text(body: dict[str, Any], request: Request) -> None:
    text: dict[str, Any] = {}
    if request.output_format is not None:
        text["format"] = _encode_format(request.output_format)
    if request.verbosity:
        text["verbosity"] = request.verbosity
    if text:
        body["text"] = text


def _encode_format(form: OutputFormat) -> dict[str, Any]:
    if form.kind != "json_schema":
        return {"type": "json_object" if form.kind == "json" else "text"}
    encoded: dict[str, Any] = {
        "type": "json_schema",
        "name": form.name or "answer",
        "schema": msgspec.Raw(form.schema.encode()),
        "strict": True if form.strict is None else form.strict,
    }
    return encoded | ({"description": form.description} if form.description else {})


def _add_rest(body: dict[str, Any], request: Request) -> None:
    body["store"] = False
    if request.stream:
        body["stream"] = True
    if request.cache_key:
        body["prompt_cache_key"] = request.cache_key[:64]
    if request.user:
        body["safety_identifier"] = request.user[:64]
    if request.metadata:
        body["metadata"] = {name[:64]: value[:512] for name, value in request.metadata[:MOST_METADATA]}
    if request.service_tier:
        body["service_tier"] = _TIERS.get(request.service_tier, request.service_tier)
