"""Anthropic's usage object."""

from __future__ import annotations

from typing import Any

from gateway.dialects.answer import NO_USAGE, Usage
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


def read_usage(usage: JSONObject | None) -> Usage:
    """The neutral form of a `usage` object; all unknown when there is none."""
    if not usage:
        return NO_USAGE
    counts = token_counts(usage)
    tier = usage.get("service_tier")
    return Usage(
        input_tokens=counts.input_tokens,
        output_tokens=counts.output_tokens,
        cache_read_tokens=counts.cache_read_tokens,
        cache_write_tokens=counts.cache_write_tokens,
        reasoning_tokens=count(object_or_none(usage.get("output_tokens_details")), "thinking_tokens"),
        service_tier=tier if isinstance(tier, str) else "",
    )


def write_usage(usage: Usage) -> JSONObject:
    """A `usage` object. Input and output must stand in it: what is not known is said as 0, which clients take for
    "not yet"."""
    written: JSONObject = {"input_tokens": usage.input_tokens or 0, "output_tokens": usage.output_tokens or 0}
    cached = {
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
    }
    written |= {key: value for key, value in cached.items() if value is not None}
    if usage.reasoning_tokens is not None:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.service_tier:
        written["service_tier"] = usage.service_tier
    return written
