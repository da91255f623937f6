"""About how many tokens of a prompt each part of its transcript is: see `gateway/history/weights.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gateway.dialects.json_values import write_json
from gateway.dialects.tokens import total as total_of
from gateway.history.transcript.blocks import Block, Transcript, Turn, as_mapping
from gateway.history.transcript.sections import Sections, values_in
from gateway.history.weights import scaled, weight

GOES_ON: Final = ("previous_response_id", "conversation", "prompt")
"""Members of a request that is not all of its prompt: the provider adds what it keeps itself."""


def with_shares(transcript: Transcript, body: Mapping[str, Any], sections: Sections, total: int | None) -> Transcript:
    """`total` are the tokens of the whole prompt, by the provider's count. Nothing is said where they are unknown, or
    count what the body does not hold."""
    values = [*sections.tools, *sections.system, *sections.messages]
    if not total or not values or any(body.get(name) for name in GOES_ON):
        return transcript
    shares = scaled([weight_of(value) for value in values], total)
    tools, others = shares[: len(sections.tools)], shares[len(sections.tools) :]
    system, messages = others[: len(sections.system)], others[len(sections.system) :]
    return replace(
        transcript,
        tokens=total,
        tools_tokens=total_of(*tools),
        system_tokens=total_of(*system),
        tools=tuple(replace(tool, tokens=own) for tool, own in zip(transcript.tools, tools, strict=True)),
        system=shared(transcript.system, system),
        turns=tuple(
            share_turn(turn, sections.messages[turn.number - 1], messages[turn.number - 1]) for turn in transcript.turns
        ),
    )


def share_turn(turn: Turn, message: Any, tokens: int | None) -> Turn:
    own = scaled([weight_of(value) for value in values_in(message)], tokens)
    return replace(turn, tokens=tokens, blocks=shared(turn.blocks, own))


def shared(blocks: tuple[Block, ...], shares: Sequence[int | None]) -> tuple[Block, ...]:
    """Left as they are where not each was read from a value of its own."""
    if len(blocks) != len(shares):
        return blocks
    return tuple(replace(block, tokens=own) for block, own in zip(blocks, shares, strict=True))


def weight_of(value: Any) -> int:
    return weight(as_mapping(value), len(write_json(value)))
