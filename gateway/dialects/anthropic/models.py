"""What Anthropic's model families take, as data. The first row whose pattern is in a model's name is meant."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple


class ModelFamily(NamedTuple):
    """`thinking`: how it is asked for: not at all, by a budget of tokens, or as adaptive with an effort.
    `output`: the limit asked for when the caller names none, which Messages demands."""

    pattern: str
    thinking: Literal["none", "budget", "adaptive"]
    output: int


FAMILIES: Final = (
    ModelFamily("claude-3-haiku", "none", 4096),
    ModelFamily("claude-3-opus", "none", 4096),
    ModelFamily("claude-3-5", "none", 8192),
    ModelFamily("claude-3-7", "budget", 32000),
    ModelFamily("claude-opus-4-0", "budget", 32000),
    ModelFamily("claude-opus-4-1", "budget", 32000),
    ModelFamily("claude-opus-4-2025", "budget", 32000),
    ModelFamily("claude-opus-4-5", "budget", 32000),
    ModelFamily("claude-sonnet-4-0", "budget", 32000),
    ModelFamily("claude-sonnet-4-2025", "budget", 32000),
    ModelFamily("claude-sonnet-4-5", "budget", 32000),
    ModelFamily("claude-haiku-4-5", "budget", 32000),
    ModelFamily("claude", "adaptive", 32000),
)
OTHER: Final = ModelFamily("", "budget", 8192)
"""Engines that speak Messages themselves."""


def family_of(model: str) -> ModelFamily:
    """The row of a model's name, in whatever case and behind whatever prefix."""
    name = model.lower().replace(".", "-")
    return next((family for family in FAMILIES if family.pattern in name), OTHER)
