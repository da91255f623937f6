"""From the tables and the environment to the snapshot the hot path reads."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from django.conf import settings

from gateway.configuration.building_caching import build_caching
from gateway.configuration.building_capture import build_capture
from gateway.configuration.building_content import build_refusing
from gateway.configuration.building_header_rules import build_header_rules
from gateway.configuration.building_limits import build_rulebook
from gateway.configuration.building_providers import build_providers
from gateway.configuration.building_routes import sort_routes
from gateway.configuration.sealing import unseal
from gateway.configuration.tables import Row, Tables, read_tables
from gateway.dialects.names import Dialect
from gateway.policy.networks import Networks, read_networks
from gateway.policy.snapshot import BreakerHeld, Caller, Snapshot, ValidationBounds

log = logging.getLogger(__name__)


def keyed_by_environment() -> bool:
    return bool(settings.TURNLOG.holds_keys)


def build_snapshot(file_callers: Mapping[bytes, Caller], tables: Tables | None = None) -> Snapshot:
    """Of the tables as they are now, or as they were read (or copied) before."""
    tables = tables or read_tables()
    routes = sort_routes(tables)
    whole = tables.settings
    return Snapshot(
        version=tables.version,
        keyed=keyed_by_environment() or bool(tables.keys),
        providers=build_providers(tables),
        exact_routes=routes.exact,
        pattern_routes=routes.patterns,
        conditional_routes=routes.conditional,
        scenarios=routes.scenarios,
        callers=build_callers(tables) | dict(file_callers),
        networks=networks_of(whole),
        holds=build_holds(tables),
        region_fallbacks={name: tuple(others) for name, others in whole.get("region_fallbacks", {}).items()},
        validation=bounds_of(whole),
        header_rules=build_header_rules(tables),
        rulebook=build_rulebook(tables),
        caching=build_caching(tables),
        capture=build_capture(tables),
        refusing=build_refusing(tables),
    )


def build_holds(tables: Tables) -> tuple[BreakerHeld, ...]:
    names = {row["id"]: row["name"] for row in tables.providers}
    return tuple(
        BreakerHeld(names[row["provider_id"]], row["model"], row["state"] == "open", row["reason"])
        for row in tables.holds
    )


def networks_of(row: Row) -> Networks:
    return read_networks(row.get("allow_addresses", ()), row.get("deny_addresses", ()))


def bounds_of(row: Row) -> ValidationBounds | None:
    if not row.get("validate_requests"):
        return None
    return ValidationBounds(
        row["max_messages"],
        row["max_content_bytes"],
        row["max_system_bytes"],
        row["max_output_tokens"],
        row["max_top_logprobs"],
    )


def build_callers(tables: Tables) -> dict[bytes, Caller]:
    """By digest; the key before the last rotation stands for the same caller until its time."""
    teams = {row["id"]: row for row in tables.teams}
    callers: dict[bytes, Caller] = {}
    for row in tables.keys:
        row = row | {"owner_name": tables.key_owners.get(row["name"], "")}
        team = teams.get(row["team_id"], {})
        try:
            expires = seconds_of(row["expires_at"])
            callers[row["digest"]] = caller_of(row, team, expires)
            if row["previous_digest"]:
                until = seconds_of(row["previous_until"]) or 0.0
                callers[row["previous_digest"]] = caller_of(
                    row, team, until if expires is None else min(until, expires)
                )
        except ValueError as error:
            log.error("the API key %s is not in force: %s", row["name"], error)
    return callers


def caller_of(row: Row, team: Row, expires_at: float | None) -> Caller:
    secret = row["signing_ciphertext"]
    return Caller(
        name=row["name"],
        team=team.get("name", ""),
        member=row["owner_name"],
        expires_at=expires_at,
        revoked=not row["enabled"],
        dialects=frozenset(Dialect(name) for name in row["allowed_dialects"]),
        models=tuple(row["allowed_models"]),
        providers=frozenset(row["allowed_providers"]),
        networks=networks_of(row),
        priority=row["priority"],
        region=row["region"] or team.get("region", ""),
        signing_secret=unseal(secret).encode() if secret else None,
        debug_until=seconds_of(row["debug_until"]) or 0.0,
    )


def seconds_of(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None
