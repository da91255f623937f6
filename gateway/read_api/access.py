"""Who asks the read API: a person signed in to the pages, or a key of the gateway, which sees its team's requests."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils import timezone

from gateway.configuration.sealing import access_key_pepper
from gateway.history.visibility import Sight, visible_to
from gateway.models import ApiKey
from gateway.policy.access import read_credentials
from gateway.policy.keys import digest_key


def by_session(request: HttpRequest) -> Sight | None:
    """None: nobody is signed in, or they may read nothing."""
    if not request.user.is_authenticated:
        return None
    sight = visible_to(request.user)
    return sight if sight.teams is None or sight.teams else None


def by_key(request: HttpRequest) -> Sight | None:
    """None: no key that is good now and belongs to a team came in the headers a key may come in."""
    headers = ("authorization", "x-api-key", "x-turnlog-key")
    sent = [(name, request.headers[name]) for name in headers if name in request.headers]
    pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in sent]
    presented = read_credentials(pairs)
    for value in (*presented.turnlog, *presented.own):
        key = ApiKey.objects.select_related("team").filter(digest=digest_key(access_key_pepper(), value)).first()
        if key is not None and key.team is not None and is_good(key):
            return Sight(frozenset({key.team.name}))
    return None


def is_good(key: ApiKey) -> bool:
    return key.enabled and (key.expires_at is None or key.expires_at > timezone.now())
