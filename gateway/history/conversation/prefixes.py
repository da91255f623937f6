"""Numbers for beginnings, so that two prompts' beginnings are compared at once, however long they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.history.conversation.calls import Part


class Prefixes:
    """Equal numbers mean equal beginnings, within one of these."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, bytes], int] = {}

    def numbers(self, parts: Iterable[Part]) -> list[int]:
        """One for the beginning that ends with each part."""
        numbers, last = [], 0
        for part in parts:
            last = self._numbers.setdefault((last, part.digest), len(self._numbers) + 1)
            numbers.append(last)
        return numbers


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many beginnings two prompts have in common. Where they differ once, they differ from there on."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[middle - 1] == other[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low
