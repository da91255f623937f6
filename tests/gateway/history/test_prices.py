"""The table of prices: shipped once, then ops' own; and what the loader makes of a change."""

from __future__ import annotations

import datetime
from decimal import Decimal

import psycopg
import pytest
from django.db import connection

from gateway.history.prices import PriceShelf, install_list_prices, read_book
from gateway.models import InstalledListPrice, ModelPrice
from gateway.pricing.list_prices import list_prices
from gateway.pricing.price import Tier

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.datetime(2026, 11, 25, tzinfo=datetime.UTC)


def test_the_shipped_prices_are_there_from_the_start() -> None:
    assert ModelPrice.objects.count() == InstalledListPrice.objects.count() == len(list(list_prices()))
    book = read_book()
    for listed in list_prices():
        price = listed.price
        found = book.find(price.model, "", price.tier, price.prompt_above + 1, price.valid_from)
        assert found is not None
        assert (found.input, found.output, found.cache_read) == (price.input, price.output, price.cache_read)


def test_what_ops_changed_or_deleted_stays_so() -> None:
    opus = ModelPrice.objects.filter(model="claude-opus-5-5", tier="standard")
    opus.update(output=Decimal(18))
    ModelPrice.objects.filter(model="gpt-4o").delete()
    install_list_prices("default")
    assert opus.get().output == 18
    assert not ModelPrice.objects.filter(model="gpt-4o").exists()


def test_a_price_shipped_later_does_not_replace_what_ops_put_there_before() -> None:
    row = ModelPrice.objects.get(model="gpt-6.2-sol", tier="standard", prompt_above=0)
    ModelPrice.objects.filter(pk=row.pk).update(output=Decimal(1), source="our contract")
    InstalledListPrice.objects.filter(key__startswith="gpt-6.2-sol standard 0 ").delete()
    install_list_prices("default")
    assert ModelPrice.objects.get(pk=row.pk).source == "our contract"
    assert ModelPrice.objects.filter(model="gpt-6.2-sol", tier="standard", prompt_above=0).count() == 1


def test_a_changed_price_is_in_the_next_book_and_an_unchanged_table_is_not_read_again() -> None:
    connection.ensure_connection()
    raw: psycopg.Connection[object] = connection.connection
    shelf = PriceShelf()
    before = shelf.current(raw)
    assert shelf.current(raw) is before
    ModelPrice.objects.filter(model="claude-opus-5-5", tier="standard").update(input=Decimal(3))
    after = shelf.current(raw).find("claude-opus-5-5", "", Tier.STANDARD, 0, NOW)
    assert after is not None
    assert after.input == 3


def test_a_price_cannot_end_before_it_began() -> None:
    with pytest.raises(Exception, match="model_price_ends_after_it_began"):
        ModelPrice.objects.create(model="m", valid_from=NOW, valid_until=NOW)
