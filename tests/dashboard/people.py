"""People of every role, and clients signed in as them: two teams, `alpha` and `beta`."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import Client

from gateway.models import Member, Team

ROLES = ("anonymous", "stranger", "disabled", "member", "lead", "other", "ops", "admin", "superuser")
"""`stranger` belongs to no team, `other` to beta, `disabled` may not sign in any more; member and lead belong to alpha,
ops and admin to none, which means all."""
PLACES = {
    "disabled": ("alpha", Member.Role.LEAD),
    "member": ("alpha", Member.Role.MEMBER),
    "lead": ("alpha", Member.Role.LEAD),
    "other": ("beta", Member.Role.LEAD),
    "ops": (None, Member.Role.OPS),
    "admin": (None, Member.Role.ADMIN),
}


def person(role: str) -> User | None:
    """The user of this role, made once; None for `anonymous`."""
    if role == "anonymous":
        return None
    user, made = User.objects.get_or_create(username=role, defaults={"is_superuser": role == "superuser"})
    if made and role in PLACES:
        team, place = PLACES[role]
        found = Team.objects.get_or_create(name=team)[0] if team else None
        Member.objects.create(user=user, team=found, role=place)
    return user


def client_of(role: str) -> Client:
    """Signed in as this role. The account of `disabled` is closed after the sign-in."""
    client = Client()
    user = person(role)
    if user is not None:
        client.force_login(user)
    if role == "disabled":
        User.objects.filter(username=role).update(is_active=False)
    return client
