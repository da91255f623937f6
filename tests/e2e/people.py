"""People who are signed in to a running gateway."""

from __future__ import annotations

from collections.abc import Iterable

from tests.e2e.configured import manage
from tests.e2e.processes import WebProcess

Person = tuple[str, str, str]
"""Name, role, team; the role `superuser` needs no team, an empty one is none, and ops without a team are of all."""

MAKE = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import SESSION_KEY, BACKEND_SESSION_KEY, HASH_SESSION_KEY
from django.contrib.auth.models import User
from gateway.models import Member, Team
for name, role, team in {people!r}:
    above = role == "superuser"
    user = User.objects.create_user(name, is_staff=above, is_superuser=above)
    if role and not above:
        Member.objects.create(user=user, team=Team.objects.get(name=team) if team else None, role=role)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session.create()
    print("session", name, session.session_key)
"""


def signed_in(web: WebProcess, people: Iterable[Person]) -> dict[str, str]:
    """The value of each one's session cookie, by name."""
    said = manage(web, "shell", "-c", MAKE.format(people=list(people)))
    return {words[1]: words[2] for line in said.splitlines() if (words := line.split())[:1] == ["session"]}
