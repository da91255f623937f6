"""What OpenTelemetry's conventions for generative AI call things, said of a stored request.

The conventions: https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-spans.md. Names,
figures and choices of closed lists alone: nothing anybody wrote to a model, nor what it answered, nor what an error
said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.dialects.names import Dialect, Outcome
from gateway.dialects.tokens import total
from gateway.metrics.bounded import OTHER, attempt_result, endpoint, error_type
from gateway.models import RequestLog, ResponseLog

Attributes = dict[str, Any]
"""None among the values: it is not known, and left out."""
OPERATIONS: Final = {
    "/v1/messages": "chat",
    "/v1/chat/completions": "chat",
    "/v1/responses": "chat",
    "/v1/complete": "text_completion",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
PROVIDERS: Final = {
    "anthropic.com": "anthropic",
    "openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "amazonaws.com": "aws.bedrock",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "cohere.com": "cohere",
    "deepseek.com": "deepseek",
    "groq.com": "groq",
    "mistral.ai": "mistral_ai",
    "moonshot.ai": "moonshot_ai",
    "perplexity.ai": "perplexity",
    "x.ai": "x_ai",
}
UNNAMED: Final = "_OTHER"
"""The conventions' word for an error that has no name in a closed list."""
PORTS: Final = {"http": 80, "https": 443}
MOST_CHARACTERS: Final = 256


def name_of(request: RequestLog) -> str:
    """`chat claude-opus-5-5`; of what asks no model, `GET /v1/models`."""
    operation = OPERATIONS.get(request.path)
    if operation is None:
        return f"{request.method} {endpoint(request.path)}"[:MOST_CHARACTERS]
    return f"{operation} {request.requested_model or ''}".strip()[:MOST_CHARACTERS]


def request_attributes(request: RequestLog, response: ResponseLog | None) -> Attributes:
    """Of the whole request, all attempts together."""
    found: Attributes = {
        "http.request.method": request.method,
        "http.route": endpoint(request.path),
        "http.response.status_code": request.status_code,
        "error.type": error_of(request, response),
        "turnlog.request_id": str(request.pk),
        "turnlog.outcome": request.outcome,
        "turnlog.provider": request.provider,
        "turnlog.team": request.team,
        "turnlog.key": request.access_key,
        "turnlog.client": request.client,
        "turnlog.purpose": request.purpose,
        "turnlog.handling": request.handling,
        **place_of(attempts_of(response)[-1:]),
    }
    if request.path in OPERATIONS:
        found |= asked(request, response) | (answered(request, response) if response else {})
    return found


def asked(request: RequestLog, response: ResponseLog | None) -> Attributes:
    return {
        "gen_ai.operation.name": OPERATIONS[request.path],
        "gen_ai.provider.name": provider_of(request, response),
        "gen_ai.conversation.id": request.session_id,
        "gen_ai.request.model": request.requested_model,
        "gen_ai.request.stream": request.is_streaming or None,
        "gen_ai.request.max_tokens": request.max_tokens,
    }


def answered(request: RequestLog, response: ResponseLog) -> Attributes:
    """Tokens as the conventions count them: what was read from a cache or written to one is input, too."""
    first = response.first_byte_ms if request.is_streaming else None
    cost = response.cost_usd
    return {
        "gen_ai.response.model": request.model,
        "gen_ai.response.finish_reasons": [response.stop_reason] if response.stop_reason else None,
        "gen_ai.response.time_to_first_chunk": None if first is None else first / 1000,
        "gen_ai.usage.input_tokens": total(
            response.input_tokens, response.cache_read_tokens, response.cache_write_tokens
        ),
        "gen_ai.usage.output_tokens": response.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": response.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": response.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": response.thinking_tokens,
        "turnlog.cost_usd": None if cost is None else float(cost),
    }


def attempt_attributes(request: RequestLog, attempt: Mapping[str, Any], number: int) -> Attributes:
    """Of one try to reach a provider; `number` counts from 0."""
    status = attempt.get("status")
    return {
        "http.request.method": request.method,
        "http.request.resend_count": number or None,
        "http.response.status_code": status,
        "error.type": attempt_error(attempt),
        "turnlog.provider": attempt["provider"],
        "turnlog.credential": attempt.get("credential"),
        "turnlog.model": attempt.get("model"),
        **place_of([attempt]),
    }


def attempt_error(attempt: Mapping[str, Any]) -> str | None:
    """The phase it failed in, or the number of a status that is an error's. None: it is none."""
    status = attempt.get("status")
    if attempt.get("error") is None:
        return str(status) if status is not None and status >= 400 else None
    result = attempt_result(attempt["error"], attempt.get("phase"), status)
    return UNNAMED if result == OTHER else result


def attempts_of(response: ResponseLog | None) -> list[dict[str, Any]]:
    """Those that went out; what we refused ourselves did not."""
    return [each for each in (response.attempts if response else []) if each.get("phase") != "plan"]


def place_of(attempts: Sequence[Mapping[str, Any]]) -> Attributes:
    """Which server the last of them asked."""
    if not attempts:
        return {}
    split = urlsplit(attempts[-1]["address"])
    return {"server.address": split.hostname, "server.port": split.port or PORTS.get(split.scheme)}


def provider_of(request: RequestLog, response: ResponseLog | None) -> str:
    """By the address that answered; of an unknown one, whose API it speaks."""
    host = str(place_of(attempts_of(response)[-1:]).get("server.address") or "")
    for known, name in PROVIDERS.items():
        if host == known or host.endswith(f".{known}"):
            return name
    spoken = (response.translation or {}).get("dialect") if response else None
    return "anthropic" if (spoken or request.dialect) == Dialect.ANTHROPIC else "openai"


def error_of(request: RequestLog, response: ResponseLog | None) -> str | None:
    """What /metrics counts as an error, by the name it has there; a status by its number. None: it is none."""
    status = request.status_code
    if request.outcome == Outcome.COMPLETED and (status or 0) < 400:
        return None
    found = error_type(response.error_type if response else None, request.outcome, status)
    if found.startswith("status_"):
        return str(status) if status is not None else UNNAMED
    return UNNAMED if found == OTHER else found
