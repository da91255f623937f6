"""How the tokens of a prompt are shared among its parts.

An estimate: the provider counts the whole prompt, and the parts share that figure by their bytes, so that they add up
to it. Pictures count as many bytes as a picture of common size is worth in tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.dialects.json_values import object_or_none, objects_of

PICTURE_BYTES: Final = 6_000
"""About 1 500 tokens at four bytes each, which is what a picture of 1092 by 1092 costs."""
DEEPEST: Final = 3


def scaled(weights: Sequence[int], total: int | None) -> list[int] | list[None]:
    """Whole numbers in the proportion of the weights that add up to `total`; the largest remainders are rounded up."""
    if total is None:
        return [None] * len(weights)
    whole = sum(weights)
    exact = [weight * total / whole if whole else total / len(weights) for weight in weights]
    shares = [int(share) for share in exact]
    order = sorted(range(len(exact)), key=lambda at: shares[at] - exact[at])
    for at in order[: total - sum(shares)]:
        shares[at] += 1
    return shares


def weight(block: Mapping[str, Any], size: int) -> int:
    """Bytes, but of a picture those that its tokens are worth."""
    return size - sum(max(0, encoded(item) - PICTURE_BYTES) for item in within(block, DEEPEST))


def within(block: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    """It, and the blocks in it: those of a message, and those of a tool's result in them."""
    yield block
    if depth:
        for item in (*objects_of(block.get("content")), *objects_of(block.get("output"))):
            yield from within(item, depth - 1)


def encoded(block: Mapping[str, Any]) -> int:
    """Bytes of a picture in it, as base64."""
    source = object_or_none(block.get("source")) or {}
    address = block.get("image_url")
    named = object_or_none(address)
    data = source.get("data") if source else named.get("url") if named else address
    return len(data) if isinstance(data, str) and (source or data.startswith("data:")) else 0
