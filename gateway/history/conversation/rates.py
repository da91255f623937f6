"""What a token of a call's prompt costs, by the price table."""

from __future__ import annotations

from decimal import Decimal

from gateway.history.conversation.cache import PriceOf, Prices
from gateway.history.conversation.calls import Call
from gateway.history.prices import read_book
from gateway.pricing.cost import MILLION
from gateway.pricing.price import tier_of


def price_reader() -> PriceOf:
    """Reads the table once; None for a call whose model, tier or provider has no price."""
    book = read_book()

    def price_of(call: Call) -> Prices | None:
        tier, model = tier_of(call.service_tier, call.speed), call.model or call.requested_model
        if tier is None or model is None:
            return None
        prompt = (call.input_tokens or 0) + (call.cache_read_tokens or 0) + (call.cache_write_tokens or 0)
        price = book.find(model, call.provider, tier, prompt, call.started_at)
        if price is None:
            return None
        return Prices(*map(per_token, (price.input, price.cache_read, price.cache_write, price.cache_write_1h)))

    return price_of


def per_token(rate: Decimal | None) -> Decimal | None:
    return None if rate is None else rate / MILLION
