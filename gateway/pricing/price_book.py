"""All prices, found by model, provider, tier, length of the prompt and time."""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from gateway.pricing.price import Price, Tier

_CONTEXT_MARK = re.compile(r"\[[0-9]+m\]$")
_SNAPSHOT = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$")


class PriceBook:
    """Immutable. Of several prices that hold, the one for the very provider comes first, then the one for the highest
    bound of the prompt, then the one that began last."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self._by_model: dict[tuple[str, Tier], list[Price]] = defaultdict(list)
        for price in prices:
            self._by_model[price.model, price.tier].append(price)
        for found in self._by_model.values():
            found.sort(key=lambda price: (bool(price.provider), price.prompt_above, price.valid_from), reverse=True)

    def find(self, model: str, provider: str, tier: Tier, prompt: int, moment: datetime.datetime) -> Price | None:
        for name in names_of(model):
            for price in self._by_model.get((name, tier), ()):
                if price.provider in ("", provider) and fits(price, prompt) and price.holds_at(moment):
                    return price
        return None


def fits(price: Price, prompt: int) -> bool:
    return not price.prompt_above or prompt > price.prompt_above


def names_of(model: str) -> Iterator[str]:
    """A model's name as it was said, then without the mark of its context (`[1m]`) and without its snapshot's date."""
    yield model
    plain = _CONTEXT_MARK.sub("", model)
    if plain != model:
        yield plain
    undated = _SNAPSHOT.sub("", plain)
    if undated != plain:
        yield undated
