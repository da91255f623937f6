"""Which models there are, as the providers list them, and what a caller means by a name.

Immutable, in memory, replaced whole when a listing comes in. Nothing here decides for a provider that it does not have
a model: lists leave aliases out, so a name that is not listed may still be one its provider takes.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.dialects.model_list import ListedModel

NEAREST: Final = 5
PICKER_PREFIX: Final = "anthropic/"
"""Claude Code shows only models whose id names Claude or Anthropic: for it the others are listed behind this."""
PICKED: Final = ("claude", "anthropic")


_ALIAS: Final = re.compile(r"-(?:latest|0)$")


@dataclass(frozen=True, slots=True)
class Listing:
    """What one provider listed. `fetched_at`: Unix time of the answer."""

    provider: str
    models: tuple[ListedModel, ...]
    fetched_at: float
    by_id: Mapping[str, ListedModel] = field(default_factory=dict, repr=False)
    by_folded: Mapping[str, ListedModel] = field(default_factory=dict, repr=False)

    def find(self, name: str) -> ListedModel | None:
        """By its exact id, else whatever its case."""
        return self.by_id.get(name) or self.by_folded.get(name.casefold())


def make_listing(provider: str, models: Sequence[ListedModel], fetched_at: float) -> Listing:
    folded: dict[str, ListedModel] = {}
    for model in models:
        folded.setdefault(model.id.casefold(), model)
    return Listing(provider, tuple(models), fetched_at, {model.id: model for model in models}, folded)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`listings` by provider, in the order in which they are merged."""

    listings: Mapping[str, Listing] = field(default_factory=dict)

    def find(self, provider: str, name: str) -> ListedModel | None:
        """What `provider` lists under `name`; None when it does not, or lists nothing."""
        listing = self.listings.get(provider)
        return listing.find(name) if listing is not None else None

    def provider_of(self, name: str) -> str | None:
        """The first provider that lists `name`: exactly, else whatever its case."""
        for listing in self.listings.values():
            if name in listing.by_id:
                return listing.provider
        folded = name.casefold()
        return next((found.provider for found in self.listings.values() if folded in found.by_folded), None)

    def lacks(self, provider: str, name: str) -> bool:
        """Whether `provider` listed its models and `name` is none of them, nor the alias of one: lists hold
        `claude-sonnet-4-5-20250929`, and callers ask for `claude-sonnet-4-5` or `claude-sonnet-4-5-latest`."""
        listing = self.listings.get(provider)
        if listing is None or not listing.models or listing.find(name) is not None:
            return False
        stem = _ALIAS.sub("", name.casefold()) + "-"
        return not any(folded.startswith(stem) for folded in listing.by_folded)

    def nearest(self, name: str, extra: Iterable[str] = ()) -> list[str]:
        """The names most like `name`, best first, of those listed and those in `extra`."""
        known = {model.id.casefold(): model.id for found in self.listings.values() for model in found.models}
        known |= {other.casefold(): other for other in extra}
        wanted = name.casefold()
        close = difflib.get_close_matches(wanted, known, NEAREST, cutoff=0.5)
        tail = wanted.rpartition("/")[2]
        inside = [folded for folded in known if tail and tail in folded and folded not in close]
        return [known[folded] for folded in [*close, *inside][:NEAREST]]


def merged(listings: Iterable[Listing], aliases: Iterable[ListedModel] = ()) -> list[ListedModel]:
    """All models once, `aliases` first; of those that two providers list under one id the first counts."""
    found: dict[str, ListedModel] = {}
    for model in (*aliases, *(model for listing in listings for model in listing.models)):
        found.setdefault(model.id, model)
    return list(found.values())


def for_picker(model: ListedModel) -> ListedModel:
    """The model under an id that Claude Code shows."""
    if any(word in model.id.lower() for word in PICKED):
        return model
    named = model.display_name or model.id
    return msgspec.structs.replace(model, id=PICKER_PREFIX + model.id, display_name=named)


def picked_name(name: str) -> str:
    """The name behind the one Claude Code was shown."""
    return name.removeprefix(PICKER_PREFIX)


@dataclass(frozen=True, slots=True)
class Page:
    models: list[ListedModel]
    has_more: bool


def page_of(models: Sequence[ListedModel], limit: int, after: str | None, before: str | None) -> Page:
    """At most `limit` of them behind the id `after`, or the last ones before the id `before`. An id that is not there
    gives an empty page."""
    ids = [model.id for model in models]
    if after is not None:
        start = ids.index(after) + 1 if after in ids else len(ids)
        rest = models[start:]
        return Page(list(rest[:limit]), len(rest) > limit)
    if before is not None:
        rest = models[: ids.index(before)] if before in ids else ()
        return Page(list(rest[-limit:]), len(rest) > limit)
    return Page(list(models[:limit]), len(models) > limit)
