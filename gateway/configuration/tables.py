"""The configuration tables as plain values: what a snapshot is built from, and what is kept on disk for a start without
Postgres. Secrets in them are encrypted, keys are digests."""

from __future__ import annotations

import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from django.db import models, transaction
from django.db.models import Q

from gateway.configuration.target_prices import read_target_prices
from gateway.models import (
    ApiKey,
    BreakerHold,
    Budget,
    CacheClearing,
    CacheRule,
    CapturePolicy,
    ConfigurationVersion,
    ContentRule,
    Credential,
    GatewaySettings,
    HeaderRule,
    Limit,
    ModelPrice,
    ModelRoute,
    OutboundProxy,
    Provider,
    RouteTarget,
    Team,
)
from gateway.models.limits import EXEMPT
from gateway.policy.content_rules import ContentAction
from gateway.policy.header_rules import RuleState

Row = dict[str, Any]
MOST_CLEARINGS = 200
FORM = 1
"""Raised when the disk copy's meaning changes: an older one is not read."""


class PriceRow(msgspec.Struct):
    """A row of prices; see `gateway/pricing/price.py`."""

    id: int
    provider: str
    model: str
    tier: str
    prompt_above: int
    valid_from: datetime
    valid_until: datetime | None
    input: Decimal | None
    output: Decimal | None
    cache_read: Decimal | None
    cache_write: Decimal | None
    cache_write_1h: Decimal | None
    web_search: Decimal | None
    us_factor: Decimal


class Tables(msgspec.Struct):
    """Rows as column to value, in the order of their tables."""

    version: int
    settings: Row
    providers: list[Row]
    credentials: list[Row]
    proxies: list[Row]
    provider_proxies: list[tuple[int, int]]
    """(provider, proxy)"""
    routes: list[Row]
    targets: list[Row]
    teams: list[Row]
    keys: list[Row]
    holds: list[Row]
    prices: dict[str, float]
    """Of a million tokens in and a million out, by provider and model, for the routes that ask for the cheapest."""
    form: int = FORM
    header_rules: list[Row] = []
    limits: list[Row] = []
    budgets: list[Row] = []
    key_owners: dict[str, str] = {}
    """User names by the names of their API keys."""
    exempt_keys: list[str] = []
    """Names of the API keys no limit is about."""
    cache_rules: list[Row] = []
    cache_clearings: list[Row] = []
    book: list[PriceRow] = []
    """Every price, where a budget counts money."""
    capture_policies: list[Row] = []
    refusing_rules: list[Row] = []
    """Content rules that refuse; the others are the worker's."""


def stored_version() -> int:
    return ConfigurationVersion.objects.order_by("id").values_list("number", flat=True).first() or 0


def read_tables() -> Tables:
    """One consistent view. The version is read first: a change during the reading shows as a newer one afterwards."""
    with transaction.atomic():
        through = Provider.proxies.through._default_manager
        return Tables(
            prices=read_target_prices(),
            version=stored_version(),
            settings=next(iter(rows_of(GatewaySettings.objects.all())), {}),
            providers=rows_of(Provider.objects.order_by("name")),
            credentials=rows_of(Credential.objects.order_by("name")),
            proxies=rows_of(OutboundProxy.objects.filter(enabled=True).order_by("position", "name")),
            provider_proxies=list(through.values_list("provider_id", "outboundproxy_id")),
            routes=rows_of(ModelRoute.objects.filter(enabled=True).order_by("position", "name")),
            targets=rows_of(RouteTarget.objects.order_by("position", "pk")),
            teams=rows_of(Team.objects.all()),
            keys=rows_of(ApiKey.objects.all()),
            holds=rows_of(BreakerHold.objects.all()),
            capture_policies=rows_of(CapturePolicy.objects.filter(enabled=True)),
            refusing_rules=rows_of(ContentRule._default_manager.filter(enabled=True, action=ContentAction.REFUSE)),
            header_rules=rows_of(HeaderRule.objects.filter(enabled=True).exclude(state=RuleState.DRAFT)),
            limits=rows_of(Limit.objects.filter(enabled=True)),
            budgets=rows_of(Budget.objects.filter(enabled=True)),
            key_owners=dict(ApiKey.objects.filter(owner__isnull=False).values_list("name", "owner__username")),
            exempt_keys=exempt_keys(),
            cache_rules=rows_of(CacheRule._default_manager.filter(enabled=True)),
            cache_clearings=rows_of(CacheClearing._default_manager.all()[:MOST_CLEARINGS]),
            book=read_book_rows(),
        )


def exempt_keys() -> list[str]:
    """Being a superuser exempts nobody: the permission has to be given."""
    given = Q(owner__user_permissions__codename=EXEMPT) | Q(owner__groups__permissions__codename=EXEMPT)
    return list(ApiKey.objects.filter(given, owner__is_active=True).values_list("name", flat=True).distinct())


def read_book_rows() -> list[PriceRow]:
    if not Budget.objects.filter(enabled=True, usd__isnull=False).exists():
        return []
    return [PriceRow(**row) for row in ModelPrice.objects.values(*PriceRow.__struct_fields__)]


def rows_of(query: models.QuerySet[Any]) -> list[Row]:
    return [{name: plain(value) for name, value in row.items()} for row in query.values()]


def plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def write_copy(path: Path, tables: Tables) -> None:
    """Whole or not at all; readable by nobody else. Raises OSError."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.msgpack.encode(tables))
    beside.replace(path)


def read_copy(path: Path) -> Tables | None:
    """None when there is none that can be read."""
    try:
        tables = msgspec.msgpack.decode(path.read_bytes(), type=Tables)
    except (OSError, ValueError):
        return None
    return tables if tables.form == FORM else None
