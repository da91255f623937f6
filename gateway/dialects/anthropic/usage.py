"""Anthropic's usage object."""

from __future__ import annotations

from typing import Any

from gateway.dialects.json_values import JSONObject, object_or_none
from gateway.dialects.tokens import TokenCounts, count


def token_counts(usage: JSONObject | None) -> TokenCounts:
    """Counts from a `usage` object. Its `input_tokens` exclude the cache already."""
    return TokenCounts(
        input_tokens=count(usage, "input_tokens"),
        output_tokens=count(usage, "output_tokens"),
        cache_read_tokens=count(usage, "cache_read_input_tokens"),
        cache_write_tokens=_cache_writes(usage),
    )


def _cache_writes(usage: JSONObject | None) -> int | None:
    """The total, or, where only the parts by lifetime are given, their sum."""
    total = count(usage, "cache_creation_input_tokens")
    parts: Any = object_or_none(usage.get("cache_creation")) if usage else None
    if total is not None or not parts:
        return total
    known = [value for key in parts if (value := count(parts, key)) is not None]
    return sum(known) if known else None
