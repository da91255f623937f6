"""What one answer used, as its provider reported it: everything that is billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.dialects.tokens import TokenCounts, count


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of a model within an answer. `model` is named where it is not the answer's own, as an adviser's."""

    tokens: TokenCounts
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Metered:
    """`passes` are billed one by one: an answer that compacted its context or asked another model has several. Without
    any the provider reported nothing. `server_tools` are calls of the provider's own tools by name (`web_search`).
    """

    passes: tuple[Pass, ...] = ()
    server_tools: Mapping[str, int] = field(default_factory=dict)
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    other_media: bool = False
    """Tokens of sound are among those counted; they have prices of their own."""

    def completed(self, service_tier: str | None, server_tools: Mapping[str, int]) -> Metered:
        """With what the usage object itself does not say, where it does not."""
        return replace(
            self,
            service_tier=self.service_tier or service_tier,
            server_tools=self.server_tools or server_tools,
        )

    @property
    def tokens(self) -> TokenCounts:
        """All passes together."""
        summed = TokenCounts()
        for each in self.passes:
            summed += each.tokens
        return summed


def one_pass(tokens: TokenCounts) -> tuple[Pass, ...]:
    """The only pass of an answer; none when nothing was counted."""
    return () if tokens == TokenCounts() else (Pass(tokens),)


def calls_of(tools: Mapping[str, Any] | None) -> dict[str, int]:
    """Calls by tool out of `{"web_search_requests": 2}`."""
    counted = ((name.removesuffix("_requests"), count(tools, name)) for name in tools or {})
    return {name: calls for name, calls in counted if calls is not None}
