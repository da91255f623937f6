"""The configuration tables as a document that `config apply` takes back. Secrets stay where they are: a credential is
named by its fingerprint, a key by its digest."""

from __future__ import annotations

from typing import Any

import yaml

from gateway.configuration.document import ENVIRONMENT_PROVIDERS
from gateway.models import ApiKey, ModelRoute, Provider, Team


def export_document() -> str:
    sections = {
        "providers": [provider_entry(row) for row in Provider.objects.prefetch_related("credentials")],
        "routes": [route_entry(row) for row in ModelRoute.objects.select_related("provider")],
        "teams": [{"name": row.name} for row in Team.objects.all()],
        "api_keys": [api_key_entry(row) for row in ApiKey.objects.select_related("team")],
    }
    return yaml.safe_dump(sections, sort_keys=False, allow_unicode=True)


def provider_entry(row: Provider) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": row.name, "dialect": row.dialect}
    if row.address or row.name not in ENVIRONMENT_PROVIDERS:
        entry["address"] = row.address
    credentials = [
        {"name": credential.name, "fingerprint": credential.fingerprint, "enabled": credential.enabled}
        for credential in row.credentials.all()
    ]
    return entry | ({"credentials": credentials} if credentials else {})


def route_entry(row: ModelRoute) -> dict[str, Any]:
    switches = {"demote": row.demote, "shortcuts": sorted(row.shortcuts)}
    return {
        "match": row.match,
        "provider": row.provider.name,
        "model": row.model,
        "position": row.position,
        "enabled": row.enabled,
    } | {name: value for name, value in switches.items() if value}


def api_key_entry(row: ApiKey) -> dict[str, Any]:
    return {
        "name": row.name,
        "team": row.team.name if row.team else None,
        "digest": bytes(row.digest).hex(),
        "expires_at": row.expires_at,
        "enabled": row.enabled,
    }
