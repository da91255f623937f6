"""A price as providers publish it: what each kind of token costs, for which model, on which terms, since when."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Tier(StrEnum):
    """The conditions a request was served under. Providers have other names for some; see `tier_of`."""

    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"
    FAST = "fast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Rates are USD for a million tokens; None: not known, so that what is counted of it has no known cost.

    It holds for requests that began in [`valid_from`, `valid_until`) and whose prompt, cache included, is longer than
    `prompt_above` tokens: of several the highest bound met decides, for all tokens of the request. `provider` is the
    name of one of the gateway's providers; empty: whichever gave the answer.
    """

    id: int | None = None
    provider: str = ""
    model: str
    tier: Tier = Tier.STANDARD
    prompt_above: int = 0
    valid_from: datetime.datetime
    valid_until: datetime.datetime | None = None
    input: Decimal | None = None
    output: Decimal | None = None
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    """Into the cache for its ordinary lifetime: Anthropic's 5 minutes, OpenAI's only one."""
    cache_write_1h: Decimal | None = None
    web_search: Decimal | None = None
    """USD for a thousand searches."""
    us_factor: Decimal = Decimal(1)
    """What token rates are multiplied by when the answer says it was made in the US only."""

    def holds_at(self, moment: datetime.datetime) -> bool:
        return self.valid_from <= moment and (self.valid_until is None or moment < self.valid_until)


_TIERS: Final[dict[str | None, Tier]] = {
    None: Tier.STANDARD,
    "": Tier.STANDARD,
    "default": Tier.STANDARD,
    "auto": Tier.STANDARD,
    "fast": Tier.PRIORITY,
    **{tier.value: tier for tier in (Tier.STANDARD, Tier.BATCH, Tier.FLEX, Tier.PRIORITY)},
}


def tier_of(service_tier: str | None, speed: str | None) -> Tier | None:
    """The tier an answer was served at, by its own words; None for one that has no public price (`scale`)."""
    return Tier.FAST if speed == "fast" else _TIERS.get(service_tier)
