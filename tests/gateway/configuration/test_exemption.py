"""Whose keys no limit is about: those of people who were given the permission, by hand or by a group."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User

from gateway.configuration.building import build_snapshot
from gateway.configuration.roles import permissions_of
from gateway.configuration.tables import stored_version
from gateway.models import ApiKey, Limit, Member

pytestmark = pytest.mark.django_db


def key_of(name: str, **options: bool) -> User:
    user = User.objects.create_user(name, **options)
    ApiKey.objects.create(name=f"{name}-key", owner=user, digest=name.encode() * 8)
    return user


def test_the_permission_exempts_and_being_a_superuser_does_not() -> None:
    Limit.objects.create(name="one", concurrent=1)
    permission = Permission.objects.get(codename="exempt_from_limits")
    given, grouped, gone = key_of("given"), key_of("grouped"), key_of("gone", is_active=False)
    key_of("plain")
    key_of("super", is_superuser=True)
    before = stored_version()
    for user in (given, gone):
        user.user_permissions.add(permission)
    group = Group.objects.create(name="trusted")
    group.permissions.add(permission)
    grouped.groups.add(group)
    assert stored_version() > before
    book = build_snapshot({}).rulebook
    assert book is not None
    assert book.exempt == {"given-key", "grouped-key"}
    assert book.members["plain-key"] == "plain"


@pytest.mark.parametrize("role", Member.Role.values)
def test_no_role_brings_it(role: str) -> None:
    assert not permissions_of(role, "default").filter(codename="exempt_from_limits").exists()
