"""Whose requests a person sees."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User

from gateway.history.visibility import EVERYTHING, visible_to
from gateway.models import Member, Team
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db

NOTHING: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("places", "teams"),
    [
        ((), NOTHING),
        ((("red", "member"),), frozenset({"red"})),
        ((("red", "lead"), ("blue", "member")), frozenset({"red", "blue"})),
        ((("red", "admin"),), frozenset({"red"})),
        (((None, "admin"),), None),
        (((None, "ops"),), NOTHING),
        ((("red", "ops"),), NOTHING),
        (((None, "member"),), NOTHING),
    ],
)
def test_the_role_and_the_team_decide_what_a_person_sees(
    places: tuple[tuple[str | None, str], ...], teams: frozenset[str] | None
) -> None:
    user = User.objects.create_user("ada")
    for team, role in places:
        Member.objects.create(user=user, team=Team.objects.get_or_create(name=team)[0] if team else None, role=role)
    assert visible_to(user).teams == teams


@pytest.mark.parametrize(("change", "sees"), [({}, True), ({"is_active": False}, False)])
def test_a_superuser_sees_everything_while_active(change: dict[str, Any], sees: bool) -> None:
    user = User.objects.create_superuser("root", password="x")
    for name, value in change.items():
        setattr(user, name, value)
    assert (visible_to(user) == EVERYTHING) is sees


def test_the_permission_opens_every_team_and_a_stranger_sees_nothing() -> None:
    user = User.objects.create_user("auditor")
    user.user_permissions.add(Permission.objects.get(codename="view_every_team"))
    assert visible_to(User.objects.get(pk=user.pk)) == EVERYTHING
    assert visible_to(AnonymousUser()).teams == NOTHING


def test_what_belongs_to_no_team_is_not_any_teams() -> None:
    keep([Sample({"model": "m"}, team=team) for team in ("red", "blue", "")])
    user = User.objects.create_user("ada")
    Member.objects.create(user=user, team=Team.objects.create(name="red"), role="member")
    assert [row.team for row in visible_to(user).requests()] == ["red"]
    assert len(EVERYTHING.requests()) == 3
