"""Chat Completions' usage object; embeddings use it too."""

from __future__ import annotations

from gateway.dialects.answer import NO_USAGE, Usage
from gateway.dialects.json_values import JSONObject, object_or_none, text_or_none
from gateway.dialects.metered import Metered, one_pass
from gateway.dialects.tokens import TokenCounts, count, uncached


def token_counts(usage: JSONObject | None) -> TokenCounts:
    """Counts from a `usage` object. Its `prompt_tokens` include what the cache gave and took; `total_tokens` is not
    looked at, because it counts the prompt again. DeepSeek says the cache's share under a name of its own."""
    details = _details(usage, "prompt_tokens_details")
    cache_read = count(details, "cached_tokens")
    if cache_read is None:
        cache_read = count(usage, "prompt_cache_hit_tokens")
    cache_write = count(details, "cache_write_tokens")
    return TokenCounts(
        input_tokens=uncached(count(usage, "prompt_tokens"), cache_read, cache_write),
        output_tokens=_output(usage),
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        thinking_tokens=count(_details(usage, "completion_tokens_details"), "reasoning_tokens"),
    )


def meter(usage: JSONObject | None, message: JSONObject | None) -> Metered:
    """Everything that is billed. The tier stands in the completion beside it."""
    details = [_details(usage, "prompt_tokens_details"), _details(usage, "completion_tokens_details")]
    return Metered(
        passes=one_pass(token_counts(usage)),
        service_tier=text_or_none(message.get("service_tier")) if message else None,
        other_media=any(count(part, "audio_tokens") for part in details),
    )


def _output(usage: JSONObject | None) -> int | None:
    """What was written; nothing, where the prompt is said to be all there was, as with embeddings."""
    said, prompt = count(usage, "completion_tokens"), count(usage, "prompt_tokens")
    return 0 if said is None and prompt is not None and prompt == count(usage, "total_tokens") else said


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
        reasoning_tokens=counts.thinking_tokens,
        service_tier=service_tier or "",
    )


def write_usage(usage: Usage) -> JSONObject | None:
    """A `usage` object; None when nothing is known. The prompt's count takes the cache's share in again."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    prompt = sum(part or 0 for part in (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens))
    output = usage.output_tokens or 0
    written: JSONObject = {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
    details = {"cached_tokens": usage.cache_read_tokens, "cache_write_tokens": usage.cache_write_tokens}
    if known := {key: value for key, value in details.items() if value is not None}:
        written["prompt_tokens_details"] = known
    if usage.reasoning_tokens is not None:
        written["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return written
