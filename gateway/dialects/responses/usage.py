"""The Responses API's usage object."""

from __future__ import annotations

from gateway.dialects.json_values import JSONObject, object_or_none, objects_of, text_or_none
from gateway.dialects.metered import Metered, one_pass
from gateway.dialects.tokens import TokenCounts, count, uncached

_TOOL_CALLS = ("web_search_call", "file_search_call", "code_interpreter_call", "image_generation_call")


def token_counts(usage: JSONObject | None) -> TokenCounts:
    """Counts from a `usage` object. Its `input_tokens` include what the cache gave and took."""
    details = _details(usage, "input_tokens_details")
    cache_read = count(details, "cached_tokens")
    cache_write = count(details, "cache_write_tokens")
    return TokenCounts(
        input_tokens=uncached(count(usage, "input_tokens"), cache_read, cache_write),
        output_tokens=count(usage, "output_tokens"),
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        thinking_tokens=count(_details(usage, "output_tokens_details"), "reasoning_tokens"),
    )


def meter(usage: JSONObject | None, message: JSONObject | None) -> Metered:
    """Everything that is billed. The tier and the calls of tools stand in the response beside it."""
    details = [_details(usage, "input_tokens_details"), _details(usage, "output_tokens_details")]
    return Metered(
        passes=one_pass(token_counts(usage)),
        server_tools=_calls(message),
        service_tier=text_or_none(message.get("service_tier")) if message else None,
        other_media=any(count(part, "audio_tokens") for part in details),
    )


def _calls(message: JSONObject | None) -> dict[str, int]:
    kinds = [item.get("type") for item in objects_of(message.get("output"))] if message else []
    return {kind.removesuffix("_call"): kinds.count(kind) for kind in _TOOL_CALLS if kind in kinds}


def _details(usage: JSONObject | None, name: str) -> JSONObject | None:
    return object_or_none(usage.get(name)) if usage else None
