"""Who asks the read API: a person signed in to the pages, or a key of the gateway, which sees its team's requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja.utils import check_csrf

from gateway.configuration.sealing import access_key_pepper
from gateway.history.visibility import Sight, visible_to
from gateway.models import ApiKey
from gateway.policy.access import read_credentials
from gateway.policy.keys import digest_key


class Refused(Exception):
    """Why a request is not answered, and what to do."""

    def __init__(self, status: int, error: str, details: str = "") -> None:
        super().__init__(error)
        self.status, self.error, self.details = status, error, details


@dataclass(frozen=True, slots=True)
class Caller:
    """`user` is None for a key, whose name is `name`."""

    sight: Sight
    name: str
    user: Any = None

    @property
    def figures(self) -> Sight:
        """What may be listed and summed up, with no word of what was said."""
        return self.sight.of_figures()


def caller_of(request: HttpRequest) -> Caller:
    return request.auth  # type: ignore[attr-defined, no-any-return]


def reader_of(request: HttpRequest) -> Caller:
    """Raises Refused: nothing that was said may be read."""
    caller = caller_of(request)
    if caller.sight.teams is None or caller.sight.teams:
        return caller
    raise Refused(403, "You see figures alone, no prompts and answers.", "Ask an admin for a place in the team.")


def by_session(request: HttpRequest) -> Caller | None:
    """None: nobody is signed in. Raises Refused: they may see nothing."""
    if not request.user.is_authenticated:
        return None
    caller = Caller(visible_to(request.user), request.user.get_username(), request.user)
    if caller.figures.teams is None or caller.figures.teams:
        return caller
    raise Refused(403, "You belong to no team, and see no requests.", "Ask an admin to make you a member of one.")


def by_key(request: HttpRequest) -> Caller | None:
    """None: no key that is good now and belongs to a team came in the headers a key may come in."""
    headers = ("authorization", "x-api-key", "x-turnlog-key")
    sent = [(name, request.headers[name]) for name in headers if name in request.headers]
    pairs = [(name.encode(), value.encode("latin-1", "replace")) for name, value in sent]
    presented = read_credentials(pairs)
    for value in (*presented.turnlog, *presented.own):
        key = ApiKey.objects.select_related("team").filter(digest=digest_key(access_key_pepper(), value)).first()
        if key is not None and key.team is not None and is_good(key):
            return Caller(Sight(frozenset({key.team.name})), key.name)
    return None


def is_good(key: ApiKey) -> bool:
    return key.enabled and (key.expires_at is None or key.expires_at > timezone.now())


def by_permission(*permissions: str, admins: bool = False) -> Callable[[HttpRequest], Caller | None]:
    """A person with all of these; with `admins`, one who reads every team. What changes something must carry the
    page's CSRF token, so that no other site's page can send it. Keys change nothing: agents hold them."""

    def by_person(request: HttpRequest) -> Caller | None:
        if not request.user.is_authenticated:
            if by_key(request) is not None:
                raise Refused(403, "A key cannot do this.", "Sign in to the pages as an admin.")
            return None
        caller = Caller(visible_to(request.user), request.user.get_username(), request.user)
        if not request.user.has_perms(permissions) or (admins and caller.sight.teams is not None):
            raise Refused(403, "You may not do this.", "Ask an admin, who may.")
        if request.method not in ("GET", "HEAD") and check_csrf(request) is not None:
            raise Refused(403, "The CSRF token is missing or wrong.", "Send the cookie csrftoken as X-CSRFToken.")
        return caller

    return by_person
