"""Who may ask the read API, in tests: keys of teams, people, and how each sends what it sends."""

from __future__ import annotations

from typing import Any

from django.test import Client

from gateway.configuration.sealing import access_key_pepper
from gateway.models import ApiKey, Team
from gateway.policy.keys import digest_key
from tests.dashboard.people import client_of

KEYS = {"key of alpha": "alpha", "key of beta": "beta"}
PEOPLE = ("stranger", "member", "lead", "other", "ops", "admin")
CALLERS = ("nobody", *KEYS, *PEOPLE)


def key_of(team: str | None, value: str, **changes: Any) -> dict[str, str]:
    owner = Team.objects.get_or_create(name=team)[0] if team else None
    digest = digest_key(access_key_pepper(), value.encode())
    ApiKey.objects.get_or_create(name=f"key-{value[-5:]}", defaults={"team": owner, "digest": digest, **changes})
    return {"Authorization": f"Bearer {value}"}


def calling(caller: str) -> tuple[Client, dict[str, str]]:
    """A client, and the headers it sends with everything."""
    if caller == "nobody":
        return Client(), {}
    if caller in KEYS:
        return Client(), key_of(KEYS[caller], f"a-key-0123456789-{KEYS[caller]}")
    return client_of(caller), {}
