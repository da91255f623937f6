"""Tokens by kind, the same for all dialects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

_MOST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of one answer. None: the provider did not say; 0: it said none.

    `input_tokens` are those that were neither read from a cache nor written to one, in every dialect, so that input,
    cache read and cache write add up to the prompt. Anthropic reports it so; OpenAI's prompt count includes the other
    two, which are subtracted (never below 0). `output_tokens` include reasoning in all of them.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    """Of the written ones, those kept for an hour."""
    thinking_tokens: int | None = None
    """Of the output, what was thought and not said."""

    def __add__(self, other: TokenCounts) -> TokenCounts:
        """Kind by kind; what only one of them knows is the sum."""
        return TokenCounts(*(total(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)))


def total(*parts: int | None) -> int | None:
    """The sum of the known ones; None when none is."""
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def count(usage: Mapping[str, Any] | None, key: str) -> int | None:
    """The count under `key`; None when it is absent, null, negative, absurdly big or no whole number."""
    value = usage.get(key) if usage is not None else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        return None
    return value


def uncached(prompt: int | None, *parts: int | None) -> int | None:
    """A prompt count that includes `parts`, without them."""
    if prompt is None:
        return None
    return max(0, prompt - sum(part for part in parts if part is not None))
