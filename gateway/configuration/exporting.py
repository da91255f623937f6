"""The configuration tables as a document that `config apply` takes back.

Secrets stay where they are: a credential is named by its fingerprint, a key by its digest. What the gateway writes for
itself, to be rolled back to, has them encrypted (`sealed`). Columns that are as by default are left out.
"""

from __future__ import annotations

from typing import Any

import yaml

from gateway.configuration.applying_alerts import channel_entry, grading_entry
from gateway.configuration.columns import (
    ALERT_RULE,
    API_KEY,
    BUDGET,
    CACHE_RULE,
    CAPTURE_POLICY,
    CONTENT_RULE,
    CREDENTIAL,
    HEADER_RULE,
    LIMIT,
    PROVIDER,
    PROXY,
    REDACTION,
    ROUTE,
    SETTINGS,
    TARGET,
    TEAM,
    told_columns,
)
from gateway.configuration.document import ENVIRONMENT_PROVIDERS
from gateway.models import (
    AlertChannel,
    AlertRule,
    ApiKey,
    Budget,
    CacheRule,
    CapturePolicy,
    ContentRule,
    GatewaySettings,
    HeaderRule,
    Limit,
    Member,
    ModelRoute,
    OutboundProxy,
    Provider,
    Redaction,
    Team,
)

Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
Entry = dict[str, Any]


def export_document(*, sealed: bool = False) -> str:
    """`sealed`: with the encrypted secrets, so that what was deleted since can be made again."""
    providers = Provider.objects.prefetch_related("credentials", "proxies")
    routes = ModelRoute.objects.select_related("provider").prefetch_related("targets__provider")
    keys = ApiKey.objects.select_related("team", "owner")
    sections: dict[str, Any] = {
        "settings": settings_entry(),
        "proxies": [proxy_entry(row, sealed) for row in OutboundProxy.objects.all()],
        "providers": [provider_entry(row, sealed) for row in providers],
        "routes": [route_entry(row) for row in routes],
        "header_rules": [header_rule_entry(row) for row in HeaderRule.objects.all()],
        "capture_policies": [capture_policy_entry(row) for row in CapturePolicy.objects.all()],
        "content_rules": [content_rule_entry(row) for row in ContentRule._default_manager.all()],
        "redactions": [{"name": row.name} | told_columns(row, REDACTION) for row in Redaction._default_manager.all()],
        "teams": [{"name": row.name} | told_columns(row, TEAM) for row in Team.objects.all()],
        "members": [member_entry(row) for row in Member.objects.select_related("user", "team")],
        "api_keys": [api_key_entry(row, sealed) for row in keys],
        "limits": [{"name": row.name} | told_columns(row, LIMIT) for row in Limit.objects.all()],
        "budgets": [{"name": row.name} | told_columns(row, BUDGET) for row in Budget.objects.all()],
        "alert_rules": [alert_rule_entry(row) for row in AlertRule.objects.all()],
        "alert_channels": [channel_entry(row, sealed) for row in AlertChannel.objects.all()],
        "grading": grading_entry(),
        "cache_rules": [{"name": row.name} | told_columns(row, CACHE_RULE) for row in CacheRule._default_manager.all()],
    }
    return dump(sections)


def dump(sections: dict[str, Any]) -> str:
    return str(yaml.dump(sections, Dumper=Dumper, sort_keys=False, allow_unicode=True))


def settings_entry() -> Entry:
    row = GatewaySettings.objects.first()
    return told_columns(row, SETTINGS) if row is not None else {}


def proxy_entry(row: OutboundProxy, sealed: bool) -> Entry:
    entry = {"name": row.name, "address": row.address} | told_columns(row, PROXY)
    return entry | (sealed_entry("sealed", row.ciphertext) if sealed else {})


def sealed_entry(name: str, ciphertext: Any) -> Entry:
    """Fernet's tokens are text."""
    return {name: bytes(ciphertext).decode()} if ciphertext else {}


def provider_entry(row: Provider, sealed: bool) -> Entry:
    entry: Entry = {"name": row.name, "dialect": row.dialect}
    if row.address or row.name not in ENVIRONMENT_PROVIDERS:
        entry["address"] = row.address
    entry |= told_columns(row, PROVIDER)
    proxies = [proxy.name for proxy in row.proxies.all()]
    if proxies:
        entry["proxies"] = proxies
    credentials = [credential_entry(credential, sealed) for credential in row.credentials.all()]
    return entry | ({"credentials": credentials} if credentials else {})


def credential_entry(row: Any, sealed: bool) -> Entry:
    entry: Entry = {"name": row.name, "fingerprint": row.fingerprint, "enabled": row.enabled}
    return entry | told_columns(row, CREDENTIAL) | (sealed_entry("sealed", row.ciphertext) if sealed else {})


def route_entry(row: ModelRoute) -> Entry:
    entry: Entry = {"name": row.name} if row.name != row.match else {}
    switches = {"demote": row.demote, "shortcuts": sorted(row.shortcuts)}
    targets = [{"provider": target.provider.name} | told_columns(target, TARGET) for target in row.targets.all()]
    return (
        entry
        | {
            "match": row.match,
            "provider": row.provider.name,
            "model": row.model,
            "position": row.position,
            "enabled": row.enabled,
        }
        | {name: value for name, value in switches.items() if value}
        | told_columns(row, ROUTE)
        | ({"targets": targets} if targets else {})
    )


def alert_rule_entry(row: AlertRule) -> Entry:
    return {"name": row.name, "metric": row.metric, "threshold": row.threshold} | told_columns(row, ALERT_RULE)


def capture_policy_entry(row: CapturePolicy) -> Entry:
    return {"name": row.name, "mode": row.mode} | told_columns(row, CAPTURE_POLICY)


def content_rule_entry(row: ContentRule) -> Entry:
    return {"name": row.name, "detector": row.detector} | told_columns(row, CONTENT_RULE)


def header_rule_entry(row: HeaderRule) -> Entry:
    entry = {"name": row.name, "direction": row.direction, "header": row.header, "action": row.action}
    return entry | told_columns(row, HEADER_RULE)


def member_entry(row: Member) -> Entry:
    entry: Entry = {"user": row.user.get_username(), "role": row.role}
    return entry | ({"team": row.team.name} if row.team else {})


def api_key_entry(row: ApiKey, sealed: bool) -> Entry:
    entry: Entry = {
        "name": row.name,
        "team": row.team.name if row.team else None,
        "digest": bytes(row.digest).hex(),
        "expires_at": row.expires_at,
        "enabled": row.enabled,
    }
    if row.owner:
        entry["owner"] = row.owner.get_username()
    if row.previous_digest:
        entry["previous_digest"] = bytes(row.previous_digest).hex()
    entry |= told_columns(row, API_KEY)
    return entry | (sealed_entry("signing_sealed", row.signing_ciphertext) if sealed else {})
