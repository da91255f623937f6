"""What stands in a prompt more than once: the same file read again, the same reminder, the same picture."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gateway.dialects.json_values import write_json
from gateway.history.transcript.blocks import Transcript, as_list, as_mapping
from gateway.history.transcript.sections import values_in

LEAST: Final = 200
"""Bytes; what is shorter is as quickly read as what would stand in its place."""


def with_repeats(transcript: Transcript, messages: Sequence[Any]) -> Transcript:
    """Blocks of the shown turns that say what was said before say where; `messages` are all of the body's."""
    again = find_repeats(messages[: transcript.last])
    if not again:
        return transcript
    turns = []
    for turn in transcript.turns:
        aligned = len(turn.blocks) == len(values_in(messages[turn.number - 1]))
        blocks = tuple(
            replace(block, again=again.get((turn.number, place), 0)) if aligned else block
            for place, block in enumerate(turn.blocks)
        )
        turns.append(replace(turn, blocks=blocks))
    return replace(transcript, turns=tuple(turns))


def find_repeats(messages: Sequence[Any]) -> dict[tuple[int, int], int]:
    """By the number of a message, from 1, and the place of a value in it, from 0: the message that said it first."""
    first: dict[bytes, int] = {}
    again: dict[tuple[int, int], int] = {}
    for number, message in enumerate(messages, 1):
        for place, value in enumerate(values_in(message)):
            digest = digest_of(value)
            if digest is None:
                continue
            if digest in first:
                again[number, place] = first[digest]
            else:
                first[digest] = number
    return again


def digest_of(value: Any) -> bytes | None:
    """Of what it says, whoever says it and wherever a client wants it cached; None for what is never a repeat: what is
    short, calls, failures."""
    fields = as_mapping(value)
    said = single_text(said_in(fields)) if fields else value
    if said is None or fields.get("is_error") is True:
        return None
    data = said.encode("utf-8", "surrogatepass") if isinstance(said, str) else write_json(said)
    return hashlib.blake2b(data, digest_size=16).digest() if len(data) >= LEAST else None


def said_in(fields: Mapping[str, Any]) -> Any:
    """A text, what a tool returned, or a picture; of a message that is one block, its content."""
    kind = str(fields.get("type", ""))
    if kind.endswith("_output"):
        return fields.get("output")
    if kind.endswith(("tool_use", "_call", "thinking", "reasoning")):
        return None
    return next((fields[name] for name in ("text", "content", "source", "image_url") if fields.get(name)), None)


def single_text(said: Any) -> Any:
    """The text alone of a list that holds nothing else."""
    items = as_list(said)
    text = as_mapping(items[0]).get("text") if len(items) == 1 else None
    return text if isinstance(text, str) else said
