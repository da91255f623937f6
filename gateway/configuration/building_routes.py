"""The routes of the snapshot, in the order they are looked through."""

from __future__ import annotations

from typing import NamedTuple

from gateway.configuration.tables import Row, Tables
from gateway.configuration.target_prices import price_key
from gateway.dialects.names import Dialect, Shortcut
from gateway.policy.patterns import is_pattern
from gateway.policy.snapshot import Conditions, RouteEntry, TargetEntry
from gateway.policy.strategies import Scenario, Strategy

UNCONDITIONAL = Conditions()


class Routes(NamedTuple):
    exact: dict[str, RouteEntry]
    patterns: tuple[RouteEntry, ...]
    conditional: tuple[RouteEntry, ...]
    scenarios: frozenset[Scenario]


def sort_routes(tables: Tables) -> Routes:
    """Rows come by position and name; of two plain routes of the same exact name the first counts."""
    names = {row["id"]: row["name"] for row in tables.providers}
    further: dict[int, list[TargetEntry]] = {}
    for row in tables.targets:
        price = tables.prices.get(price_key(names[row["provider_id"]], row["model"]))
        target = TargetEntry(names[row["provider_id"]], row["model"], row["weight"], price)
        further.setdefault(row["route_id"], []).append(target)
    entries = [route_of(row, names, tuple(further.get(row["id"], ())), tables.prices) for row in tables.routes]
    plain = [entry for entry in entries if entry.conditions is None]
    conditional = [entry for entry in entries if entry.conditions is not None]
    exact: dict[str, RouteEntry] = {}
    for entry in plain:
        if not is_pattern(entry.match):
            exact.setdefault(entry.match, entry)
    scenarios = {entry.conditions.scenario for entry in conditional if entry.conditions and entry.conditions.scenario}
    return Routes(
        exact,
        tuple(entry for entry in plain if is_pattern(entry.match)),
        tuple(sorted(conditional, key=lambda entry: is_pattern(entry.match))),
        frozenset(scenarios),
    )


def route_of(row: Row, names: dict[int, str], targets: tuple[TargetEntry, ...], prices: dict[str, float]) -> RouteEntry:
    conditions = conditions_of(row)
    return RouteEntry(
        match=row["match"],
        provider=names[row["provider_id"]],
        model=row["model"],
        demote=row["demote"],
        shortcuts=frozenset(shortcut for shortcut in Shortcut if shortcut.value in row["shortcuts"]),
        name=row["name"],
        conditions=conditions,
        strategy=Strategy(row["strategy"]),
        targets=targets,
        weight=row["weight"],
        price=prices.get(price_key(names[row["provider_id"]], row["model"])),
        fallback_on=frozenset(row["fallback_on"]),
    )


def conditions_of(row: Row) -> Conditions | None:
    """None when nothing but the model's name is asked."""
    scenario = Scenario(row["scenario"]) if row["scenario"] else None
    conditions = Conditions(
        scenario=scenario,
        min_tokens=row["min_tokens"] if scenario is Scenario.LONG_CONTEXT else UNCONDITIONAL.min_tokens,
        dialects=frozenset(Dialect(name) for name in row["dialects"]),
        keys=frozenset(row["keys"]),
        teams=frozenset(row["teams"]),
        headers=tuple((name.lower().encode(), value) for name, value in sorted(row["headers"].items())),
        min_bytes=row["min_bytes"],
        max_bytes=row["max_bytes"],
    )
    return None if conditions == UNCONDITIONAL else conditions
