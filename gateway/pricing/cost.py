"""What an answer cost, by the prices that held when it was asked for. Unknown prices make unknown costs, never zero."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from gateway.dialects.metered import Metered, Pass
from gateway.dialects.tokens import TokenCounts
from gateway.pricing.price import Price, tier_of
from gateway.pricing.price_book import PriceBook

MILLION: Final = Decimal(1_000_000)
THOUSAND: Final = Decimal(1_000)
NANO: Final = Decimal("1e-9")
NO_USAGE: Final = "no usage"
NOT_SENT_ON: Final = "not sent on"
ANSWERED_HERE: Final = ("counted", "synthetic", "cached")
PARTIAL: Final = "partial usage"
"""The answer broke off: what was counted until then is priced, and the cost is at least that."""
FREE_TOOLS: Final = frozenset({"web_fetch", "tool_search", "code_execution"})
"""Tools of providers whose calls have no price of their own."""


class CostLine(NamedTuple):
    """One kind of what was used: `quantity` tokens or calls at `rate` USD for a million tokens or a thousand calls."""

    kind: str
    quantity: int
    rate: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class Cost:
    """`usd` is exact to the nano-dollar; None: not known, and `note` says why. A note beside a cost says what the cost
    is worth. `price_id` is that of the answer's own model."""

    usd: Decimal | None = None
    note: str = ""
    price_id: int | None = None
    lines: tuple[CostLine, ...] = ()


class _Unknown(Exception):
    pass


def cost_of(
    usage: Metered,
    model: str | None,
    provider: str,
    moment: datetime.datetime,
    book: PriceBook,
    *,
    broken: bool = False,
    handling: str = "",
) -> Cost:
    """`model` is the one that answered; `broken`: the answer did not come to its end; `handling`: what the gateway did
    with the request beside passing it on."""
    if handling.startswith(ANSWERED_HERE):
        return Cost(note=NOT_SENT_ON)
    if not usage.passes:
        return Cost(note=NO_USAGE)
    try:
        priced = [(each, _price(usage, each, each.model or model, provider, moment, book)) for each in usage.passes]
        lines = [line for each, price in priced for line in _pass_lines(usage, each, price)]
        lines += _tool_lines(usage.server_tools, priced[-1][1])
    except _Unknown as unknown:
        return Cost(note=str(unknown))
    own = next((price for each, price in priced if each.model in (None, model)), priced[-1][1])
    return Cost(
        usd=sum((line.usd for line in lines), Decimal(0)).quantize(NANO),
        note=PARTIAL if broken else "",
        price_id=own.id,
        lines=tuple(lines),
    )


def _price(
    usage: Metered, each: Pass, model: str | None, provider: str, moment: datetime.datetime, book: PriceBook
) -> Price:
    tier = tier_of(usage.service_tier, usage.speed)
    if usage.other_media:
        raise _Unknown("no price for sound")
    if tier is None:
        raise _Unknown(f"no price for service tier {usage.service_tier}")
    price = book.find(model, provider, tier, prompt_of(each.tokens), moment) if model else None
    if price is None:
        at = "" if tier == "standard" else f" at {tier.value}"
        raise _Unknown(f"no price for {model or 'an unnamed model'}{at}")
    return price


def prompt_of(tokens: TokenCounts) -> int:
    """How long the prompt was, cache included."""
    return (tokens.input_tokens or 0) + (tokens.cache_read_tokens or 0) + (tokens.cache_write_tokens or 0)


def _pass_lines(usage: Metered, each: Pass, price: Price) -> list[CostLine]:
    tokens = each.tokens
    if tokens.input_tokens is None or tokens.output_tokens is None:
        raise _Unknown("input or output tokens were not counted")
    hour = min(tokens.cache_write_1h_tokens or 0, tokens.cache_write_tokens or 0)
    factor = price.us_factor if usage.inference_geo == "us" else Decimal(1)
    counted = (
        ("input", tokens.input_tokens, price.input),
        ("cache_read", tokens.cache_read_tokens, price.cache_read),
        ("cache_write", (tokens.cache_write_tokens or 0) - hour, price.cache_write),
        ("cache_write_1h", hour, price.cache_write_1h),
        ("output", tokens.output_tokens, price.output),
    )
    return [_line(kind, count, rate, MILLION, factor) for kind, count, rate in counted if count]


def _tool_lines(calls: Mapping[str, int], price: Price) -> list[CostLine]:
    rates = {"web_search": price.web_search}
    charged = [(name, count) for name, count in calls.items() if count and name not in FREE_TOOLS]
    return [_line(name, count, rates.get(name), THOUSAND, Decimal(1)) for name, count in charged]


def _line(kind: str, count: int, rate: Decimal | None, per: Decimal, factor: Decimal) -> CostLine:
    if rate is None:
        raise _Unknown(f"no rate for {kind}")
    return CostLine(kind, count, rate * factor, count * rate * factor / per)
