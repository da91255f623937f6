"""The names of how a route chooses among its targets, and of the kinds of requests it may be for."""

from __future__ import annotations

from enum import StrEnum


class Strategy(StrEnum):
    """Which target is tried first; the others follow in their order."""

    IN_ORDER = "in_order"
    ROUND_ROBIN = "round_robin"
    WEIGHTED = "weighted"
    LEAST_IN_FLIGHT = "least_in_flight"
    FASTEST = "fastest"
    """By the time to the first byte of the last minutes; a target never tried goes first."""
    CHEAPEST = "cheapest"
    """By the price of input and output; a target whose price is unknown goes last."""


class Scenario(StrEnum):
    """Kinds of requests that Claude Code makes."""

    BACKGROUND = "background"
    """It asks for a Haiku model."""
    THINK = "think"
    LONG_CONTEXT = "long_context"
    WEB_SEARCH = "web_search"
    IMAGE = "image"
    """The last message of the user has one."""
    SUBAGENT = "subagent"
    """It names an agent in a header, or begins its second system block with CCR-SUBAGENT-MODEL."""
