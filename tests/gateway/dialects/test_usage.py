"""Metered objects into tokens by kind. Unknown is never zero."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dialects.accumulate import meter
from gateway.dialects.names import Dialect
from gateway.dialects.tokens import TokenCounts

A, C, R = Dialect.ANTHROPIC, Dialect.CHAT, Dialect.RESPONSES

CASES: dict[str, tuple[Dialect, Any, TokenCounts]] = {
    "Anthropic counts the cache apart": (
        A,
        {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 3},
        TokenCounts(10, 5, 7, 3),
    ),
    "cache writes given only by lifetime": (
        A,
        {"cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}},
        TokenCounts(cache_write_tokens=5, cache_write_1h_tokens=3),
    ),
    "the total of cache writes wins over its parts": (
        A,
        {"cache_creation_input_tokens": 0, "cache_creation": {"ephemeral_5m_input_tokens": 2}},
        TokenCounts(cache_write_tokens=0),
    ),
    "no usage at all": (A, None, TokenCounts()),
    "an empty usage": (A, {}, TokenCounts()),
    "nulls are unknown, zeros are zero": (
        A,
        {"input_tokens": None, "output_tokens": 0},
        TokenCounts(output_tokens=0),
    ),
    "Chat's prompt includes what the cache gave and took": (
        C,
        {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "total_tokens": 105,
            "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
        },
        TokenCounts(30, 5, 60, 10),
    ),
    "Chat without details": (C, {"prompt_tokens": 9, "completion_tokens": 3}, TokenCounts(9, 3)),
    "the total is not taken for the output": (C, {"total_tokens": 12}, TokenCounts()),
    "embeddings": (Dialect.OPENAI, {"prompt_tokens": 5, "total_tokens": 5}, TokenCounts(5, 0)),
    "never below zero": (
        C,
        {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 60}},
        TokenCounts(0, None, 60),
    ),
    "a cache without a prompt": (
        C,
        {"prompt_tokens_details": {"cached_tokens": 60}},
        TokenCounts(cache_read_tokens=60),
    ),
    "Responses' input includes what the cache gave and took": (
        R,
        {"input_tokens": 100, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 60}},
        TokenCounts(40, 5, 60),
    ),
    "details that are null": (R, {"input_tokens": 1, "input_tokens_details": None}, TokenCounts(1)),
    "counts that are no counts": (
        A,
        {
            "input_tokens": -1,
            "output_tokens": True,
            "cache_read_input_tokens": "5",
            "cache_creation_input_tokens": 10**30,
        },
        TokenCounts(),
    ),
    "a whole number written as a fraction": (A, {"input_tokens": 5.0, "output_tokens": 5.5}, TokenCounts(5)),
}


@pytest.mark.parametrize(("dialect", "usage", "expected"), CASES.values(), ids=CASES)
def test_counts(dialect: Dialect, usage: Any, expected: TokenCounts) -> None:
    assert meter(dialect, usage).tokens == expected


counts = st.integers(0, 10**9)


@given(counts, counts, counts)
def test_the_parts_add_up_to_the_prompt_in_every_dialect(uncached: int, read: int, write: int) -> None:
    prompt = uncached + read + write
    details = {"cached_tokens": read, "cache_write_tokens": write}
    usages = {
        A: {"input_tokens": uncached, "cache_read_input_tokens": read, "cache_creation_input_tokens": write},
        C: {"prompt_tokens": prompt, "prompt_tokens_details": details},
        R: {"input_tokens": prompt, "input_tokens_details": details},
    }
    for dialect, usage in usages.items():
        assert meter(dialect, usage).tokens == TokenCounts(uncached, None, read, write)
