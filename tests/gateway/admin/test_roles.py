"""What each of the four permission groups may do and see in the pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client

from gateway.configuration.applying import digest_and_hint
from gateway.configuration.revisions import revision
from gateway.history.rollups import roll_up_all
from gateway.history.spending import spent_by
from gateway.history.visibility import EVERYTHING, may_see_bodies, visible_to
from gateway.models import (
    ApiKey,
    Capability,
    ConfigurationRevision,
    DeadLetter,
    Member,
    ModelRoute,
    Provider,
    ResponseLog,
    Team,
)
from gateway.policy.keys import generate_key
from tests.exchanges import Sample, keep_one, message_stream

pytestmark = pytest.mark.django_db

LIST = "/admin/gateway/requestlog/"
DETAIL = "/d/r/"
ASKED, ANSWERED, REFUSED = "what-the-person-asked", "what-the-model-said", "what-the-provider-refused"
SESSION = (("x-claude-code-session-id", "s-1"),)


def person(role: str, team: str | None = "red", name: str = "ada") -> User:
    user = User.objects.get_or_create(username=name)[0]
    place = Team.objects.get_or_create(name=team)[0] if team else None
    Member.objects.create(user=user, team=place, role=role)
    return User.objects.get(pk=user.pk)


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def turn(team: str = "red") -> Any:
    body = {"model": "m", "messages": [{"role": "user", "content": ASKED}], "system": ASKED}
    return keep_one(Sample(body, message_stream(ANSWERED, model=f"of-{team}"), team=team, request_headers=SESSION))


def new_key(name: str, team: str) -> ApiKey:
    row = ApiKey(name=name, team=Team.objects.get_or_create(name=team)[0], **digest_and_hint(generate_key()))
    row.save()
    return row


def test_a_migrate_makes_the_groups_and_mends_them() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= set(Member.Role.values)
    ops = Group.objects.get(name="ops")
    held = set(ops.permissions.values_list("codename", flat=True))
    assert {"change_provider", "change_modelroute", "view_requestlog", "delete_apikey", "view_member"} <= held
    assert not {"view_every_team", "change_member", "add_user", "change_user", "delete_legalhold"} & held
    ops.permissions.clear()
    call_command("migrate", verbosity=0)
    assert set(ops.permissions.values_list("codename", flat=True)) == held


@pytest.mark.parametrize(
    ("role", "team", "group"),
    [
        ("member", "red", "member"),
        ("lead", "red", "lead"),
        ("ops", None, "ops"),
        ("ops", "red", "member"),
        ("admin", "red", "lead"),
        ("admin", None, "admin"),
    ],
)
def test_a_place_puts_a_person_in_its_group_and_losing_it_takes_them_out(
    role: str, team: str | None, group: str
) -> None:
    user = person(role, team)
    other = Group.objects.create(name="readers")
    user.groups.add(other)
    assert {row.name for row in user.groups.all()} == {group, "readers"}
    assert user.is_staff
    Member.objects.get(user=user).delete()
    assert [row.name for row in user.groups.all()] == ["readers"]


def test_a_person_goes_with_their_places() -> None:
    person("lead", "red")
    person("ops", None).delete()
    assert not Member.objects.exists()


def test_another_role_is_another_group() -> None:
    user = person("admin", None)
    Member.objects.get(user=user).delete()
    place = Member.objects.create(user=user, role="admin")
    place.role = "ops"
    place.save()
    assert [row.name for row in user.groups.all()] == ["ops"]


def test_ops_see_every_figure_and_no_body() -> None:
    request_id = turn()
    ResponseLog.objects.filter(pk=request_id).update(error_type="api_error", error_message=REFUSED)
    roll_up_all()
    client = browser(person("ops", None))
    pages = ("/admin/", LIST, f"{LIST}?q={request_id}", f"{DETAIL}{request_id}/", f"{DETAIL}{request_id}/?turn=1")
    for address in (*pages, "/d/usage/"):
        text = client.get(address).content.decode()
        assert "of-red" in text, address
        assert not [word for word in (ASKED, ANSWERED, REFUSED) if word in text], address
    for part in ("request", "response", "asked", "got"):
        assert client.get(f"{DETAIL}{request_id}/raw/{part}/").status_code == 403
    assert "api_error" in client.get(f"{DETAIL}{request_id}/").content.decode()


def test_what_a_loader_or_provider_said_of_a_body_is_not_for_ops() -> None:
    letter = DeadLetter.objects.create(exchange_id=turn(), reason="odd", detail=ASKED, frames=b"", attempts=1)
    times = dict.fromkeys(("first_seen", "last_seen", "refused_at"), letter.created_at)
    seen = Capability.objects.create(client="c", dialect="anthropic", kind="beta", name="b", refusal=REFUSED, **times)
    addresses = (
        f"/admin/gateway/deadletter/{letter.pk}/change/",
        f"/admin/gateway/capability/{seen.pk}/change/",
        "/admin/gateway/capability/",
    )
    ops, admin = browser(person("ops", None)), browser(person("admin", None, "eve"))
    for address in addresses:
        words = {ASKED, REFUSED}
        shown = admin.get(address)
        assert any(word in shown.content.decode() for word in words), address
        hidden = ops.get(address)
        assert hidden.status_code == 200
        assert not any(word in hidden.content.decode() for word in words), address


@pytest.mark.parametrize("role", ["member", "lead", "admin"])
def test_those_of_a_team_read_its_bodies(role: str) -> None:
    request_id, other = turn(), turn("blue")
    client = browser(person(role))
    text = client.get(f"{DETAIL}{request_id}/").content.decode()
    assert ASKED in text
    assert ANSWERED in text
    assert ASKED in client.get(f"{DETAIL}{request_id}/raw/request/").content.decode()
    assert client.get(f"{DETAIL}{other}/").status_code == 404
    assert client.get(f"{DETAIL}{other}/raw/request/").status_code == 404


def test_an_ops_who_is_a_member_of_a_team_reads_that_team_only() -> None:
    red, blue = turn(), turn("blue")
    person("member", "red")
    client = browser(person("ops", None))
    assert ASKED in client.get(f"{DETAIL}{red}/").content.decode()
    text = client.get(f"{DETAIL}{blue}/").content.decode()
    assert "of-blue" in text
    assert ASKED not in text
    assert client.get(f"{DETAIL}{blue}/raw/response/").status_code == 403


def test_sums_of_sessions_are_figures() -> None:
    turn()
    ops, stranger = visible_to(person("ops", None)), visible_to(User.objects.create_user("eve"))
    assert [row["requests"] for row in spent_by("session", 5, sight=ops)] == [1]
    assert spent_by("session", 5, sight=stranger) == []


def test_who_may_see_bodies() -> None:
    ops, member, admin = person("ops", None), person("member", "red", "max"), person("admin", None, "eve")
    assert [may_see_bodies(user) for user in (ops, member, admin)] == [False, True, True]
    assert [may_see_bodies(user, "blue") for user in (ops, member, admin)] == [False, False, True]
    assert [may_see_bodies(user, "") for user in (ops, member, admin)] == [False, False, True]
    assert may_see_bodies(member, "red")
    assert visible_to(admin) == EVERYTHING


CHANGING = ("provider", "modelroute", "outboundproxy", "gatewaysettings", "breakerhold", "modelprice")


@pytest.mark.parametrize(("role", "team", "may"), [("member", "red", 403), ("lead", "red", 403), ("ops", None, 200)])
def test_only_ops_and_admins_change_the_configuration(role: str, team: str | None, may: int) -> None:
    client = browser(person(role, team))
    for model in CHANGING:
        assert client.get(f"/admin/gateway/{model}/add/").status_code == may, model
    for people in ("gateway/member", "auth/user", "auth/group"):
        assert client.get(f"/admin/{people}/add/").status_code in (403, 404), people


def test_an_admin_changes_people_too() -> None:
    client = browser(person("admin", None))
    for model in ("gateway/provider", "gateway/member", "auth/user", "gateway/legalhold"):
        assert client.get(f"/admin/{model}/add/").status_code == 200, model


def test_a_lead_manages_the_keys_of_their_teams_and_no_others() -> None:
    new_key("red-one", "red")
    blue = new_key("blue-one", "blue")
    client = browser(person("lead"))
    person("member", "red", "max")
    text = client.get("/admin/gateway/apikey/").content.decode()
    assert "red-one" in text
    assert "blue-one" not in text
    assert client.get(f"/admin/gateway/apikey/{blue.pk}/change/").status_code == 302
    form = {"name": "red-two", "team": Team.objects.get(name="red").pk, "enabled": "on", "priority": "9"}
    lists = ("allowed_dialects", "allowed_models", "allowed_providers", "allow_addresses", "deny_addresses")
    form |= dict.fromkeys(lists, "")
    shown = client.get("/admin/gateway/apikey/add/").content.decode()
    assert ">max<" in shown
    assert "blue" not in shown
    for team in ("", Team.objects.get(name="blue").pk):
        assert client.post("/admin/gateway/apikey/add/", form | {"team": team}).status_code == 200
    assert client.post("/admin/gateway/apikey/add/", form).status_code == 302
    assert ApiKey.objects.get(name="red-two").priority == 0
    taken = {"action": "revoke", "_selected_action": [blue.pk]}
    client.post("/admin/gateway/apikey/", taken)
    assert ApiKey.objects.get(pk=blue.pk).enabled


def test_who_may_only_look_can_run_no_action() -> None:
    user = User.objects.create_user("eve", is_staff=True)
    for name in ("view_apikey", "view_modelroute", "change_team"):
        user.user_permissions.add(Group.objects.get(name="admin").permissions.get(codename=name))
    key = new_key("red-one", "red")
    route = ModelRoute.objects.create(
        name="r", match="x", provider=Provider.objects.get(name="anthropic"), model="y", enabled=True
    )
    client = browser(user)
    client.post("/admin/gateway/apikey/", {"action": "revoke", "_selected_action": [key.pk]})
    client.post("/admin/gateway/modelroute/", {"action": "switch_off", "_selected_action": [route.pk]})
    assert ApiKey.objects.get(pk=key.pk).enabled
    assert ModelRoute.objects.get(pk=route.pk).enabled


def test_ops_who_go_back_to_a_version_give_nobody_a_place_back() -> None:
    with revision(None, "a test", "when eve was an admin"):
        user = person("admin", None, "eve")
        ModelRoute.objects.create(name="r", match="x", provider=Provider.objects.get(name="anthropic"), model="y")
    version = ConfigurationRevision.objects.latest("pk")
    Member.objects.filter(user=user).delete()
    person("ops", None, "eve")
    ModelRoute.objects.all().delete()
    page = f"/admin/gateway/configurationrevision/{version.pk}/change/"
    assert browser(User.objects.get(pk=user.pk)).post(page, {"go_back": "1"}).status_code == 302
    assert ModelRoute.objects.filter(name="r").exists()
    assert [place.role for place in Member.objects.filter(user=user)] == ["ops"]
