"""What the targets of a route cost, for the routes that want the cheapest."""

from __future__ import annotations

from django.utils import timezone

from gateway.models import ModelPrice, ModelRoute, RouteTarget
from gateway.policy.strategies import Strategy
from gateway.pricing.price import Price, Tier
from gateway.pricing.price_book import PriceBook

COLUMNS = ("id", "provider", "model", "tier", "prompt_above", "valid_from", "valid_until", "input", "output")


def read_target_prices() -> dict[str, float]:
    """US dollars for a million tokens in and a million out, by `price_key`; unknown ones are not there."""
    routes = ModelRoute.objects.filter(strategy=Strategy.CHEAPEST.value, enabled=True)
    wanted = set(routes.values_list("provider__name", "model", "match"))
    wanted |= set(RouteTarget.objects.filter(route__in=routes).values_list("provider__name", "model", "route__match"))
    if not wanted:
        return {}
    book, now = read_standard_book(), timezone.now()
    found: dict[str, float] = {}
    for provider, model, match in wanted:
        price = book.find(model or match, provider, Tier.STANDARD, 0, now)
        if price is not None and price.input is not None and price.output is not None:
            found[price_key(provider, model)] = float(price.input + price.output)
    return found


def read_standard_book() -> PriceBook:
    rows = ModelPrice.objects.filter(tier=Tier.STANDARD.value).values(*COLUMNS)
    return PriceBook(Price(**row | {"tier": Tier.STANDARD}) for row in rows)


def price_key(provider: str, model: str) -> str:
    return f"{provider} {model}"
