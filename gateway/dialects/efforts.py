"""How much to think, said as a word or as a number of tokens: one scale, read in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.dialects.turn import Reasoning

SCALE: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_MOST_TOKENS: Final = {"minimal": 1024, "low": 4096, "medium": 16384, "high": 32768, "xhigh": 65536}
"""Up to how many tokens of budget an effort means; above the last it is `max`."""
_OFF: Final = ("none", "minimal")
LEAST_BUDGET: Final = 1024


def effort_of(reasoning: Reasoning, known: Sequence[str]) -> str:
    """The effort to ask for, of those a provider knows; empty: nothing need be said.

    Thinking that is switched off is said only where there is a word for it or nearly.
    """
    if not known:
        return ""
    if reasoning.mode == "disabled":
        return next((word for word in _OFF if word in known), "")
    if reasoning.effort:
        return nearest(reasoning.effort, known)
    if reasoning.budget_tokens is not None:
        return nearest(effort_of_budget(reasoning.budget_tokens), known)
    return ""


def effort_of_budget(tokens: int) -> str:
    return next((word for word, most in _MOST_TOKENS.items() if tokens <= most), SCALE[-1])


def budget_of_effort(effort: str) -> int | None:
    """Tokens to think with; None for no thinking and for a word nobody knows."""
    if effort == "max":
        return 2 * _MOST_TOKENS["xhigh"]
    return _MOST_TOKENS.get(effort)


def nearest(effort: str, known: Sequence[str]) -> str:
    """The word itself where it is known, else the nearest on the scale, the stronger of two as near."""
    if effort in known or effort not in SCALE:
        return effort if effort in known else ""
    place = SCALE.index(effort)
    ranked = [word for word in known if word in SCALE]
    return min(ranked, key=lambda word: (abs(SCALE.index(word) - place), -SCALE.index(word)), default="")
