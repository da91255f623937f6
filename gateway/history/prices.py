"""The table of prices as the value that costs are computed by, and how the shipped list gets into the table."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
from django.db import connections, transaction

from gateway.models import InstalledListPrice, ModelPrice
from gateway.pricing.list_prices import ListPrice, list_prices
from gateway.pricing.price import Price, Tier
from gateway.pricing.price_book import PriceBook

COLUMNS = (
    "id", "provider", "model", "tier", "prompt_above", "valid_from", "valid_until", "input", "output", "cache_read",
    "cache_write", "cache_write_1h", "web_search", "us_factor",
)  # fmt: skip
READ_PRICES = f"SELECT {', '.join(COLUMNS)} FROM gateway_modelprice"  # noqa: S608
READ_VERSION = "SELECT number FROM gateway_configurationversion"
RATES = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "web_search")


class PriceShelf:
    """The price book of one psycopg connection, read again when the table was changed."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._book: PriceBook | None = None

    def current(self, connection: psycopg.Connection[Any]) -> PriceBook:
        """Raises psycopg.Error."""
        # The version first: what changes between the two statements is then read once too often, not too rarely.
        with psycopg.Cursor(connection) as cursor:
            row = cursor.execute(READ_VERSION).fetchone()
            version = row[0] if row else 0
            if self._book is None or version != self._version:
                self._book = PriceBook(as_price(dict(zip(COLUMNS, row, strict=True))) for row in read_rows(cursor))
                self._version = version
        return self._book


def read_rows(cursor: psycopg.Cursor[Any]) -> list[Any]:
    return cursor.execute(READ_PRICES).fetchall()


def read_book() -> PriceBook:
    """The book by Django's connection."""
    return PriceBook(as_price(values) for values in ModelPrice.objects.values(*COLUMNS))


def as_price(values: dict[str, Any]) -> Price:
    return Price(**values | {"tier": Tier(values["tier"])})


def install_list_prices(using: str, **signal: Any) -> None:
    """After each migrate. What was installed once, and what ops put in the place of a shipped price, stays as it is."""
    if ModelPrice._meta.db_table not in connections[using].introspection.table_names():
        return  # migrated back to nothing
    known = set(InstalledListPrice.objects.using(using).values_list("key", flat=True))
    fresh = {key: listed for listed in list_prices() if (key := key_of(listed.price)) not in known}
    if not fresh:
        return
    with transaction.atomic(using=using):
        rows = [as_row(listed) for listed in fresh.values()]
        ModelPrice.objects.using(using).bulk_create(rows, ignore_conflicts=True)
        marks = [InstalledListPrice(key=key) for key in fresh]
        InstalledListPrice.objects.using(using).bulk_create(marks, ignore_conflicts=True)


def key_of(price: Price) -> str:
    return f"{price.model} {price.tier.value} {price.prompt_above} {price.valid_from:%Y-%m-%d}"


def as_row(listed: ListPrice) -> ModelPrice:
    price = listed.price
    return ModelPrice(
        model=price.model,
        tier=price.tier.value,
        prompt_above=price.prompt_above,
        valid_from=price.valid_from,
        valid_until=price.valid_until,
        us_factor=price.us_factor,
        source=listed.source,
        read_on=listed.read_on,
        **{name: rounded(getattr(price, name)) for name in RATES},
    )


def rounded(rate: Decimal | None) -> Decimal | None:
    return None if rate is None else rate.quantize(Decimal("1e-9"))
