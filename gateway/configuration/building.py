"""From rows and environment to the snapshot the hot path reads."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from gateway.configuration.sealing import Unreadable, unseal
from gateway.dialects.names import ProviderDialect, Shortcut
from gateway.models import ApiKey, ConfigurationVersion, ModelRoute, Provider
from gateway.policy.addresses import normal_address
from gateway.policy.routing import is_pattern
from gateway.policy.snapshot import Caller, ProviderEntry, RouteEntry, Snapshot

log = logging.getLogger(__name__)


def environment_providers() -> dict[str, ProviderEntry]:
    """The two providers that always exist, with the addresses and keys of the environment."""
    environment = settings.TURNLOG
    return {
        "anthropic": ProviderEntry(
            "anthropic", ProviderDialect.ANTHROPIC, environment.anthropic_url, environment.anthropic_key or None
        ),
        "openai": ProviderEntry(
            "openai", ProviderDialect.OPENAI, environment.openai_url, environment.openai_key or None
        ),
    }


def keyed_by_environment() -> bool:
    return bool(settings.TURNLOG.holds_keys)


def stored_version() -> int:
    return ConfigurationVersion.objects.order_by("id").values_list("number", flat=True).first() or 0


def build_snapshot(file_callers: Mapping[bytes, Caller]) -> Snapshot:
    """Read everything. The version is read first: a change during the reading shows as a newer version afterwards."""
    version = stored_version()
    keys = list(ApiKey.objects.select_related("team"))
    exact, patterns = build_routes()
    return Snapshot(
        version=version,
        keyed=keyed_by_environment() or bool(keys),
        providers=build_providers(),
        exact_routes=exact,
        pattern_routes=patterns,
        callers=build_callers(keys) | dict(file_callers),
    )


def build_providers() -> dict[str, ProviderEntry]:
    providers = environment_providers()
    for row in Provider.objects.prefetch_related("credentials"):
        default = providers.get(row.name)
        dialect = ProviderDialect(row.dialect)
        if default is not None and default.dialect is not dialect:
            log.error("provider %s is ignored: its dialect must be %s", row.name, default.dialect.value)
            continue
        address = normal_address(row.address) if row.address else (default.address if default else "")
        credential = stored_credential(row) or (default.credential if default else None)
        providers[row.name] = ProviderEntry(row.name, dialect, address, credential)
    return providers


def stored_credential(provider: Any) -> str | None:
    """The first enabled credential, by name, that can be decrypted."""
    for credential in sorted(provider.credentials.all(), key=lambda row: row.name):
        if not credential.enabled:
            continue
        try:
            return unseal(credential.ciphertext)
        except Unreadable as error:
            log.error("credential %s/%s %s", provider.name, credential.name, error)
    return None


def build_routes() -> tuple[dict[str, RouteEntry], tuple[RouteEntry, ...]]:
    exact: dict[str, RouteEntry] = {}
    patterns: list[RouteEntry] = []
    for row in ModelRoute.objects.filter(enabled=True).select_related("provider").order_by("position", "match"):
        entry = route_entry(row)
        if is_pattern(row.match):
            patterns.append(entry)
        else:
            exact[row.match] = entry
    return exact, tuple(patterns)


def route_entry(row: ModelRoute) -> RouteEntry:
    known = frozenset(shortcut for shortcut in Shortcut if shortcut.value in row.shortcuts)
    return RouteEntry(row.match, row.provider.name, row.model, demote=row.demote, shortcuts=known)


def build_callers(keys: list[ApiKey]) -> dict[bytes, Caller]:
    return {
        bytes(key.digest): Caller(
            key.name, key.team.name if key.team else "", key.expires_at.timestamp() if key.expires_at else None
        )
        for key in keys
        if key.enabled
    }
