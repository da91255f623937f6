"""Anthropic's usage object."""

from __future__ import annotations

from gateway.dialects.answer import NO_USAGE, Usage
from gateway.dialects.json_values import JSONObject, object_or_none, objects_of, text_or_none
from gateway.dialects.metered import Metered, Pass, calls_of, one_pass
from gateway.dialects.tokens import TokenCounts, count, total


def token_counts(usage: JSONObject | None) -> TokenCounts:
    """Counts from a `usage` object, or one of its `iterations`. Its `input_tokens` exclude the cache already."""
    written = object_or_none(usage.get("cache_creation")) if usage else None
    return TokenCounts(
        input_tokens=count(usage, "input_tokens"),
        output_tokens=count(usage, "output_tokens"),
        cache_read_tokens=count(usage, "cache_read_input_tokens"),
        cache_write_tokens=_cache_writes(usage, written),
        cache_write_1h_tokens=count(written, "ephemeral_1h_input_tokens"),
        thinking_tokens=count(object_or_none(usage.get("output_tokens_details")) if usage else None, "thinking_tokens"),
    )


def meter(usage: JSONObject | None, message: JSONObject | None) -> Metered:
    """Everything that is billed. With several iterations the counts beside them leave some out (a compaction, an
    adviser), so that the iterations are what is summed."""
    if usage is None:
        return Metered()
    return Metered(
        passes=_passes(usage),
        server_tools=calls_of(object_or_none(usage.get("server_tool_use"))),
        service_tier=text_or_none(usage.get("service_tier")),
        speed=text_or_none(usage.get("speed")),
        inference_geo=text_or_none(usage.get("inference_geo")),
    )


def _passes(usage: JSONObject) -> tuple[Pass, ...]:
    iterations = [
        Pass(tokens, text_or_none(iteration.get("model")))
        for iteration in objects_of(usage.get("iterations"))
        if (tokens := token_counts(iteration)) != TokenCounts()
    ]
    return tuple(iterations) if len(iterations) > 1 else one_pass(token_counts(usage))


def _cache_writes(usage: JSONObject | None, parts: JSONObject | None) -> int | None:
    """The total, or, where only the parts by lifetime are given, their sum."""
    said = count(usage, "cache_creation_input_tokens")
    return said if said is not None or not parts else total(*(count(parts, key) for key in parts))


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
        reasoning_tokens=counts.thinking_tokens,
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
