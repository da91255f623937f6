"""The Responses API's usage object."""

from __future__ import annotations

from gateway.dialects.answer import NO_USAGE, Usage
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


def read_usage(usage: JSONObject | None, service_tier: str | None = None) -> Usage:
    """The neutral form of a `usage` object; all unknown when there is none."""
    if not usage:
        return NO_USAGE
    counts = token_counts(usage)
    return Usage(
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        cache_read_tokens=counts.cache_read_tokens,
        cache_write_tokens=counts.cache_write_tokens,
        reasoning_tokens=count(object_or_none(usage.get("output_tokens_details")), "reasoning_tokens"),
        service_tier=service_tier or "",
    )


def write_usage(usage: Usage) -> JSONObject | None:
    """A `usage` object; None when nothing is known. The prompt's count takes the cache's share in again."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    prompt = sum(part or 0 for part in (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens))
    output = usage.output_tokens or 0
    # The two details are no options in this API: its clients read them without asking whether they are there.
    written: JSONObject = {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read_tokens or 0},
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
        "total_tokens": prompt + output,
    }
    if usage.cache_write_tokens is not None:
        written["input_tokens_details"]["cache_write_tokens"] = usage.cache_write_tokens
    return written
