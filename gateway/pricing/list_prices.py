"""The public list prices that Turnlog ships. A row names the page its figures stand on and the day they were compared
with it, or with public copies of it; where no copy was at hand, its source says that others reported them.

They are installed once each (`gateway/history/prices.py`) and are ops' own from then on. A price that changes gets a
second row with the day it began, and the first one the same day as its end. USD for a million tokens.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from gateway.pricing.price import Price, Tier

ANTHROPIC_PAGE: Final = "https://platform.claude.com/docs/en/about-claude/pricing"
OPENAI_PAGE: Final = "https://developers.openai.com/api/docs/pricing"
REPORTED: Final = " (as others reported it)"
ALWAYS: Final = "2024-01-01"
WEB_SEARCH: Final = Decimal(10)
HALF: Final = {Tier.BATCH: "0.5"}
HALVES: Final = {Tier.BATCH: "0.5", Tier.FLEX: "0.5"}
OPENAI_TIERS: Final = {**HALVES, Tier.PRIORITY: "2"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of a provider's page. `rates`: input, output, cache read, cache write, cache write for an hour; an empty
    one is not offered. `tiers` multiply all of them. `long` is the bound of the prompt above which it costs more, and
    what prompt and output are then multiplied by."""

    model: str
    rates: str
    since: str = ALWAYS
    until: str = ""
    tiers: dict[Tier, str] = field(default_factory=dict)
    long: tuple[int, str, str] | None = None
    us_factor: str = "1"
    page: str = ANTHROPIC_PAGE
    read_on: str = "2026-10-24"


@dataclass(frozen=True, slots=True)
class ListPrice:
    """A price and where it was read."""

    price: Price
    source: str
    read_on: datetime.date


def claude(model: str, rates: str, **options: Any) -> Listed:
    return Listed(model, rates, **{"tiers": HALF, **options})


def gpt(model: str, rates: str, read_on: str = "2026-11-05", **options: Any) -> Listed:
    return Listed(model, rates, page=OPENAI_PAGE, read_on=read_on, **{"tiers": HALVES, **options})


US: Final[dict[str, Any]] = {"us_factor": "1.1"}
FAST: Final[dict[str, Any]] = {"tiers": {**HALF, Tier.FAST: "2"}}
LONG: Final[dict[str, Any]] = {"long": (272_000, "2", "1.5")}
FULL: Final[dict[str, Any]] = {"tiers": OPENAI_TIERS, **LONG}

LISTED: Final = (
    claude("claude-fable-5-2", "8 40 0.2 10 16", page=ANTHROPIC_PAGE + REPORTED, read_on="2026-11-26", **US, **FAST),
    claude("claude-fable-5-1", "10 50 0.25 12.5 20", **US),
    claude("claude-mythos-5-1", "10 50 0.25 12.5 20", **US),
    claude("claude-fable-5", "10 50 1 12.5 20", **US),
    claude("claude-mythos-5", "10 50 1 12.5 20", **US),
    claude("claude-opus-5-5", "4 20 0.2 5 8", **US, **FAST),
    claude("claude-opus-5", "5 25 0.5 6.25 10", **US, **FAST),
    claude("claude-opus-4-8", "5 25 0.5 6.25 10", **US, **FAST),
    claude("claude-opus-4-7", "5 25 0.5 6.25 10", **US),
    claude("claude-opus-4-6", "5 25 0.5 6.25 10", **US),
    claude("claude-opus-4-5", "5 25 0.5 6.25 10"),
    claude("claude-opus-4-1", "15 75 1.5 18.75 30"),
    claude("claude-opus-4", "15 75 1.5 18.75 30"),
    claude("claude-sonnet-5-5", "2 10 0.2 2.5 4", until="2026-10-07", **US),
    claude("claude-sonnet-5-5", "2 10 0.1 2.5 4", since="2026-10-07", **US),
    claude("claude-sonnet-5", "2 10 0.2 2.5 4", **US),
    claude("claude-sonnet-4-6", "3 15 0.3 3.75 6", **US),
    claude("claude-sonnet-4-5", "3 15 0.3 3.75 6"),
    claude("claude-sonnet-4", "3 15 0.3 3.75 6"),
    claude("claude-3-7-sonnet", "3 15 0.3 3.75 6"),
    claude("claude-haiku-5-5", "0.1 0.5 0.01 0.125 0.2", long=(100_000, "5", "5"), **US),
    claude("claude-haiku-4-5", "1 5 0.1 1.25 2"),
    claude("claude-3-5-haiku", "0.8 4 0.08 1 1.6"),
    claude("claude-3-haiku", "0.25 1.25 0.03 0.3 0.5"),
    gpt("gpt-6.2-astra", "8 40 0.4 10 -", "2026-11-18", **FULL),
    gpt("gpt-6.2-sol", "2 10 0.1 2.5 -", "2026-11-18", **FULL),
    gpt("gpt-6.1-sol", "2 10 0.1 2.5 -", **FULL),
    gpt("gpt-6-astra", "10 50 1 12.5 -", **FULL),
    gpt("gpt-6-sol", "2 10 0.2 2.5 -", **FULL),
    gpt("gpt-6-luna", "0.1 0.5 0.01 0.125 -", **FULL),
    gpt("gpt-5.6-sol", "5 30 0.5 6.25 -", until="2026-08-21", **FULL),
    gpt("gpt-5.6-sol", "4 20 0.4 5 -", since="2026-08-21", **FULL),
    gpt("gpt-5.6-terra", "2.5 15 0.25 3.125 -", until="2026-07-30", **FULL),
    gpt("gpt-5.6-terra", "2 12 0.2 2.5 -", since="2026-07-30", **FULL),
    gpt("gpt-5.6-luna", "1 6 0.1 1.25 -", until="2026-07-30", **FULL),
    gpt("gpt-5.6-luna", "0.2 1.2 0.02 0.25 -", since="2026-07-30", **FULL),
    gpt("gpt-5.5", "5 30 0.5 5 -", tiers={**HALVES, Tier.PRIORITY: "2.5"}, **LONG),
    gpt("gpt-5.5-pro", "30 180 - - -", **LONG),
    gpt("gpt-5.4", "2.5 15 0.25 2.5 -", **FULL),
    gpt("gpt-5.4-mini", "0.75 4.5 0.075 0.75 -"),
    gpt("gpt-5.4-nano", "0.2 1.25 0.02 0.2 -"),
    gpt("gpt-5.4-pro", "30 180 - - -", **LONG),
    gpt("gpt-5.3-codex", "1.75 14 0.175 1.75 -"),
    gpt("gpt-5.2", "1.75 14 0.175 1.75 -"),
    gpt("gpt-5.2-codex", "1.75 14 0.175 1.75 -"),
    gpt("gpt-5.2-pro", "21 168 - - -"),
    gpt("gpt-5.1", "1.25 10 0.125 1.25 -"),
    gpt("gpt-5.1-codex", "1.25 10 0.125 1.25 -"),
    gpt("gpt-5.1-codex-max", "1.25 10 0.125 1.25 -"),
    gpt("gpt-5.1-codex-mini", "0.25 2 0.025 0.25 -"),
    gpt("gpt-5", "1.25 10 0.125 1.25 -"),
    gpt("gpt-5-codex", "1.25 10 0.125 1.25 -"),
    gpt("gpt-5-mini", "0.25 2 0.025 0.25 -"),
    gpt("gpt-5-nano", "0.05 0.4 0.005 0.05 -"),
    gpt("gpt-5-pro", "15 120 - - -"),
    gpt("gpt-4.1", "2 8 0.5 2 -", tiers=HALF),
    gpt("gpt-4.1-mini", "0.4 1.6 0.1 0.4 -", tiers=HALF),
    gpt("gpt-4.1-nano", "0.1 0.4 0.025 0.1 -", tiers=HALF),
    gpt("gpt-4o", "2.5 10 1.25 2.5 -", tiers=HALF),
    gpt("gpt-4o-mini", "0.15 0.6 0.075 0.15 -", tiers=HALF),
    gpt("o3", "2 8 0.5 2 -"),
    gpt("o4-mini", "1.1 4.4 0.275 1.1 -"),
    gpt("text-embedding-3-large", "0.13 0 - - -", tiers=HALF),
    gpt("text-embedding-3-small", "0.02 0 - - -", tiers=HALF),
    gpt("text-embedding-ada-002", "0.1 0 - - -", tiers=HALF),
)


def list_prices() -> Iterator[ListPrice]:
    """Every row, each tier and each bound of the prompt apart."""
    for listed in LISTED:
        read_on = datetime.date.fromisoformat(listed.read_on)
        for tier, factor in {Tier.STANDARD: "1", **listed.tiers}.items():
            price = scaled(price_of(listed, tier), Decimal(factor), Decimal(factor))
            yield ListPrice(price, listed.page, read_on)
            # A fast answer costs the same however long its prompt is, as far as the pages say.
            if listed.long is not None and tier is not Tier.FAST:
                bound, prompt, output = listed.long
                longer = replace(scaled(price, Decimal(prompt), Decimal(output)), prompt_above=bound)
                yield ListPrice(longer, listed.page, read_on)


def price_of(listed: Listed, tier: Tier) -> Price:
    rates = [None if rate == "-" else Decimal(rate) for rate in listed.rates.split()]
    return Price(
        model=listed.model,
        tier=tier,
        valid_from=midnight(listed.since),
        valid_until=midnight(listed.until) if listed.until else None,
        input=rates[0],
        output=rates[1],
        cache_read=rates[2],
        cache_write=rates[3],
        cache_write_1h=rates[4],
        web_search=WEB_SEARCH,
        us_factor=Decimal(listed.us_factor),
    )


def scaled(price: Price, prompt: Decimal, output: Decimal) -> Price:
    return replace(
        price,
        input=times(price.input, prompt),
        cache_read=times(price.cache_read, prompt),
        cache_write=times(price.cache_write, prompt),
        cache_write_1h=times(price.cache_write_1h, prompt),
        output=times(price.output, output),
    )


def times(rate: Decimal | None, factor: Decimal) -> Decimal | None:
    return None if rate is None else rate * factor


def midnight(day: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(day).replace(tzinfo=datetime.UTC)
