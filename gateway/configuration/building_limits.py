"""The limits and budgets of the snapshot."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from gateway.configuration.tables import PriceRow, Row, Tables
from gateway.policy.budgets import BudgetRule, Rates
from gateway.policy.limits import LimitRule, Scope, WhenUnknown, read_addresses
from gateway.policy.rulebook import Rulebook
from gateway.policy.windows import Period, window_at
from gateway.pricing.price import Price, Tier
from gateway.pricing.price_book import PriceBook

T = TypeVar("T")

log = logging.getLogger(__name__)


def build_rulebook(tables: Tables) -> Rulebook | None:
    """None: there is nothing to count."""
    if not tables.limits and not tables.budgets:
        return None
    return Rulebook(
        limits=tuple(read_each(tables.limits, limit_of)),
        budgets=tuple(read_each(tables.budgets, budget_of)),
        prices=PriceBook(price_of(row) for row in tables.book) if tables.book else None,
        default_rates=default_rates(tables.settings),
        members=tables.key_owners,
        exempt=frozenset(tables.exempt_keys),
    )


def read_each(rows: Iterable[Row], read: Callable[[Row], T]) -> Iterable[T]:
    """A rule that cannot be read is left out, and the log says so; the others count."""
    for row in rows:
        try:
            yield read(row)
        except (KeyError, ValueError) as error:
            log.error("the rule %s is not in force: %r", row.get("name"), error)


def whom(row: Row) -> dict[str, Any]:
    scope = Scope(row["scope"])
    return {
        "name": row["name"],
        "scope": scope,
        "names": tuple(row["names"]),
        "models": tuple(row["models"]),
        "when_unknown": WhenUnknown(row["when_unknown"]),
        "networks": read_addresses(row["names"]) if scope is Scope.ADDRESS else (),
    }


def limit_of(row: Row) -> LimitRule:
    return LimitRule(
        **whom(row),
        per_second=row["requests_per_second"],
        per_minute=row["requests_per_minute"],
        burst=row["burst"],
        tokens_per_minute=row["tokens_per_minute"],
        at_once=row["concurrent"],
    )


def budget_of(row: Row) -> BudgetRule:
    period = Period(row["period"])
    window_at(period, row["zone"], 0.0)
    return BudgetRule(
        **whom(row),
        period=period,
        zone=row["zone"],
        usd=row["usd"],
        tokens=row["tokens"],
        message=row["message"],
        show=row["show"],
    )


def price_of(row: PriceRow) -> Price:
    return Price(**msgspec.structs.asdict(row) | {"tier": Tier(row.tier)})


def default_rates(settings: Row) -> Rates | None:
    """As by default where there is no row of settings."""
    rates = settings.get("default_input_price", 5.0), settings.get("default_output_price", 25.0)
    return None if rates == (None, None) else Rates(rates[0] or 0.0, rates[1] or 0.0)
