"""The providers of the snapshot: rows over what the environment says of the two that always exist."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from gateway.configuration.sealing import Unreadable, unseal
from gateway.configuration.tables import Row, Tables
from gateway.dialects.names import ProviderDialect
from gateway.dialects.profile import Profile
from gateway.dialects.profiles import choose_profile
from gateway.policy.addresses import normal_address
from gateway.policy.breaker import BreakerMode, BreakerRules
from gateway.policy.credential_choice import CredentialEntry
from gateway.policy.retries import Backoff, RetryRules
from gateway.policy.snapshot import HealthRules, ProviderEntry
from gateway.policy.transport import DEFAULT_TRANSPORT, ProxyChoice, ProxyEntry, TransportSettings
from gateway.policy.waiting import QueueRules, WhenFull

log = logging.getLogger(__name__)


def environment_providers() -> dict[str, ProviderEntry]:
    """The two providers that always exist, with the addresses and keys of the environment."""
    environment = settings.TURNLOG
    return {
        "anthropic": ProviderEntry(
            "anthropic", ProviderDialect.ANTHROPIC, environment.anthropic_url, environment.anthropic_key or None
        ),
        "openai": ProviderEntry(
            "openai",
            ProviderDialect.OPENAI,
            environment.openai_url,
            environment.openai_key or None,
            profile=profile_of("", environment.openai_url),
        ),
    }


def profile_of(name: str, address: str) -> Profile:
    return choose_profile(name, urlsplit(address).hostname or "")


def build_providers(tables: Tables) -> dict[str, ProviderEntry]:
    providers = environment_providers()
    proxies = {row["id"]: proxy_of(row) for row in tables.proxies}
    for row in tables.providers:
        default = providers.get(row["name"])
        dialect = ProviderDialect(row["dialect"])
        if default is not None and default.dialect is not dialect:
            log.error("provider %s is ignored: its dialect must be %s", row["name"], default.dialect.value)
            continue
        stored = stored_credentials(row, tables)
        numbers = {proxy for provider, proxy in tables.provider_proxies if provider == row["id"]}
        used = tuple(proxy for number, proxy in proxies.items() if number in numbers)
        providers[row["name"]] = provider_of(row, dialect, default, stored, used)
    return providers


def provider_of(
    row: Row,
    dialect: ProviderDialect,
    default: ProviderEntry | None,
    stored: tuple[CredentialEntry, ...],
    proxies: tuple[ProxyEntry, ...],
) -> ProviderEntry:
    credential = stored[0].secret if stored else default.credential if default else None
    transport = transport_of(row, proxies)
    address = normal_address(row["address"]) if row["address"] else (default.address if default else "")
    return ProviderEntry(
        name=row["name"],
        dialect=dialect,
        address=address,
        credential=credential,
        credentials=stored,
        profile=profile_of(row["profile"], address),
        keyless=row["keyless"],
        region=row["region"],
        extra_headers=tuple((name.lower().encode(), value.encode()) for name, value in row["extra_headers"].items()),
        slow_seconds=row["slow_seconds"],
        transport=None if transport == DEFAULT_TRANSPORT else transport,
        breaker=breaker_of(row),
        retry=retry_of(row),
        queue=queue_of(row),
        health=health_of(row),
    )


def stored_credentials(provider: Row, tables: Tables) -> tuple[CredentialEntry, ...]:
    """Those that are on and can be decrypted, by name; blocked ones among them."""
    entries = []
    for row in tables.credentials:
        if row["provider_id"] != provider["id"] or not row["enabled"]:
            continue
        try:
            secret = unseal(row["ciphertext"])
        except Unreadable as error:
            log.error("credential %s/%s %s", provider["name"], row["name"], error)
            continue
        entries.append(CredentialEntry(row["name"], secret, row["per_minute"], blocked_until(row)))
    return tuple(entries)


def blocked_until(row: Row) -> float:
    if not row["blocked"]:
        return 0.0
    until: datetime | None = row["blocked_until"]
    return until.timestamp() if until is not None else float("inf")


def proxy_of(row: Row) -> ProxyEntry:
    try:
        password = unseal(row["ciphertext"]) if row["ciphertext"] else ""
    except Unreadable as error:
        log.error("the password of the proxy %s %s", row["name"], error)
        password = ""
    bypass = tuple(host.lower() for host in row["bypass"])
    return ProxyEntry(row["name"], row["address"], row["username"], password, bypass, row["ca_file"])


def transport_of(row: Row, proxies: tuple[ProxyEntry, ...]) -> TransportSettings:
    names = (
        "connect_timeout", "header_timeout", "idle_timeout", "pool_size", "pool_idle_seconds", "pool_life_seconds",
        "tls_minimum", "ca_file", "client_certificate_file", "client_key_file", "http2",
    )  # fmt: skip
    values: dict[str, Any] = {name: row[name] for name in names}
    return TransportSettings(**values, proxies=proxies, proxy_choice=ProxyChoice(row["proxy_choice"]))


def breaker_of(row: Row) -> BreakerRules:
    return BreakerRules(
        mode=BreakerMode(row["breaker_mode"]),
        failures=row["breaker_failures"],
        open_seconds=row["breaker_open_seconds"],
        successes=row["breaker_successes"],
        error_share=row["breaker_error_percent"] / 100,
        window=row["breaker_window"],
        volume=row["breaker_volume"],
    )


def retry_of(row: Row) -> RetryRules | None:
    if row["retry_attempts"] < 2:
        return None
    return RetryRules(
        attempts=row["retry_attempts"],
        on=frozenset(row["retry_on"] or ["connect"]),
        deadline=row["retry_deadline"],
        backoff=Backoff(row["retry_backoff"]),
        base=row["retry_base"],
        longest=row["retry_longest"],
        budget=row["retry_budget_percent"] / 100,
    )


def queue_of(row: Row) -> QueueRules | None:
    if row["max_in_flight"] is None:
        return None
    return QueueRules(
        places=row["max_in_flight"],
        size=row["queue_size"],
        longest_wait=row["queue_longest_wait"],
        when_full=WhenFull(row["queue_when_full"]),
        long_bytes=row["queue_long_bytes"],
    )


def health_of(row: Row) -> HealthRules | None:
    if not row["health_path"]:
        return None
    return HealthRules(row["health_path"], row["health_interval"], row["health_timeout"], row["health_failures"])
