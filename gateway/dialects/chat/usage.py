"""Chat Completions' usage object; embeddings use it too."""

from __future__ import annotations

from gateway.dialects.json_values import JSONObject, object_or_none
from gateway.dialects.tokens import TokenCounts, count, uncached


def token_counts(usage: JSONObject | None) -> TokenCounts:
    """Counts from a `usage` object. Its `prompt_tokens` include what the cache gave and took; `total_tokens` is not
    looked at, because it counts the prompt again."""
    details = object_or_none(usage.get("prompt_tokens_details")) if usage else None
    cache_read = count(details, "cached_tokens")
    cache_write = count(details, "cache_write_tokens")
    return TokenCounts(
        input_tokens=uncached(count(usage, "prompt_tokens"), cache_read, cache_write),
        output_tokens=count(usage, "completion_tokens"),
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
    )
