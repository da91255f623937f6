"""What is written down of what people do, and that it stays as it was written."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from dashboard import page_urls
from dashboard.auditing import WATCHED, auditing, current
from dashboard.models import AuditEvent
from dashboard.pages import PAGES
from gateway.configuration.revisions import revision
from gateway.models import ApiKey, HeaderRule, Provider, Team
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep_one

pytestmark = pytest.mark.django_db
REQUEST = {"model": "claude-opus-5-5", "messages": []}
NOTHING_SAID = {
    "live_since", "agents_now", "first_request", "request_there", "save_view", "remove_view", "notices",
    "overview_line", "requests_file", "mute_error", "conversation_newer", "pin_request", "remove_pin",
    "request_replay",
}  # fmt: skip


def events() -> list[tuple[str, str, str]]:
    rows = AuditEvent.objects.order_by("id").values_list("action", "actor_name", "target")
    return [row for row in rows if row[0] != "signed in"]


def test_signing_in_failing_and_signing_out_are_written_down_with_the_address(client: Client) -> None:
    cache.clear()
    User.objects.create_user("lead", password="a long password")
    client.post("/accounts/login/", {"login": "lead", "password": "wrong"})
    client.post("/accounts/login/", {"login": "lead", "password": "a long password"}, REMOTE_ADDR="10.1.2.3")
    client.post("/accounts/logout/")
    rows = list(AuditEvent.objects.order_by("id").values_list("action", "actor_name", "target", "address"))
    assert rows == [
        ("sign-in failed", "", "lead", "127.0.0.1"),
        ("signed in", "lead", "", "10.1.2.3"),
        ("signed out", "lead", "", "127.0.0.1"),
    ]
    assert "wrong" not in str(list(AuditEvent.objects.values()))


def test_reading_and_taking_away_are_written_down() -> None:
    client = client_of("superuser")
    User.objects.filter(username="superuser").update(is_staff=True)
    found = keep_one(Sample(REQUEST))
    assert client.get(f"/d/r/{found}/").status_code == 200
    assert client.get(f"/d/r/{found}/raw/request/").status_code == 200
    client.get("/admin/gateway/requestlog/")
    assert [row[0] for row in events()] == ["read", "exported"]
    assert str(found) in events()[0][2]


def test_a_table_taken_away_as_a_file_is_written_down() -> None:
    client = client_of("superuser")
    assert client.get("/d/usage/?range=30d").status_code == 200
    assert client.get("/d/usage/?range=30d&format=csv").status_code == 200
    [event] = AuditEvent.objects.filter(action="exported")
    assert (event.target, event.details) == ("d:usage", "range=30d&format=csv")


def test_what_was_refused_is_not_a_read() -> None:
    client = client_of("other")
    found = keep_one(Sample(REQUEST, team="alpha"))
    assert client.get(f"/d/r/{found}/").status_code == 404
    assert events() == []


async def test_the_middleware_is_asynchronous_where_its_server_is() -> None:
    seen = []

    async def answer(request: HttpRequest) -> HttpResponse:
        seen.append(current.get())
        return HttpResponse()

    request = RequestFactory().get("/")
    await auditing(answer)(request)
    assert seen == [request]
    assert current.get() is None


def test_a_change_of_the_configuration_is_written_down_with_what_changed() -> None:
    user = User.objects.create_user("ops")
    with revision(user, note="first"):
        pass
    with revision(user, note="second"):
        Team.objects.create(name="gamma")
    event = AuditEvent.objects.filter(action="changed").latest("id")
    assert event.actor_name == "ops"
    assert "gamma" in event.details


def test_a_rotated_key_a_rule_put_live_and_a_held_breaker_are_written_down_without_secrets() -> None:
    client = client_of("superuser")
    User.objects.filter(username="superuser").update(is_staff=True)
    keep_one(Sample(REQUEST))
    key = {"name": "ada", "enabled": "on", "priority": "0"}
    shown = client.post("/admin/gateway/apikey/add/", key, follow=True).content.decode()
    made = {"action": "rotate", "_selected_action": [ApiKey.objects.get().pk]}
    shown += client.post("/admin/gateway/apikey/", made, follow=True).content.decode()
    keys = set(re.findall(r"tl_[0-9A-Za-z]{49}", shown))
    assert len(keys) == 2
    rule = {"name": "tag", "direction": "request", "position": "100", "header": "x-tag", "action": "set", "value": "a"}
    rule |= {"enabled": "on", **dict.fromkeys(("find", "note", "providers", "teams", "keys", "models"), "")}
    assert client.post("/admin/gateway/headerrule/add/", rule).status_code == 302
    address = f"/admin/gateway/headerrule/{HeaderRule.objects.get().pk}/dry-run/"
    for said in ({"do": "dry-run", "last": "100"}, {"do": "live"}):
        client.post(address, said)
    hold = {"provider": Provider.objects.get(name="anthropic").pk, "model": "", "state": "open", "reason": "of today"}
    assert client.post("/admin/gateway/breakerhold/add/", hold).status_code == 302
    events = list(AuditEvent.objects.filter(action="changed", actor_name="superuser").order_by("id"))
    assert {event.address for event in events} == {"127.0.0.1"}
    told = [event.details for event in events if event.target.startswith("configuration, version")]
    assert len(told) == 5, told
    # The first is what was there before; a hold is no part of the configuration's document.
    _, _, rotated, _, live = told
    (held,) = [event.target for event in events if event.target.startswith("breaker hold")]
    assert "previous_digest" in rotated
    assert "-  state: draft" in live or "+  state: live" in live
    assert "of today" in held
    assert not any(key in str(list(AuditEvent.objects.values())) for key in keys)


@pytest.mark.django_db(transaction=True)
def test_nobody_changes_or_removes_an_event() -> None:
    event = AuditEvent.objects.create(action="read", actor_name="lead", target="x")
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
        AuditEvent.objects.filter(pk=event.pk).update(actor_name="somebody else")
    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
        event.delete()


def test_nobody_empties_the_log() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE dashboard_auditevent ENABLE TRIGGER turnlog_audit_stays_whole")  # off in tests
        with pytest.raises(DatabaseError, match="only added to"), transaction.atomic():
            cursor.execute("TRUNCATE dashboard_auditevent")


def test_the_log_is_read_in_the_admin_and_nothing_else() -> None:
    event = AuditEvent.objects.create(action="read", actor_name="lead", target="x")
    client = client_of("superuser")
    User.objects.filter(username="superuser").update(is_staff=True)
    page = f"/admin/dashboard/auditevent/{event.pk}/"
    assert client.get("/admin/dashboard/auditevent/").status_code == 200
    assert client.get(f"{page}change/").status_code == 200
    for path in (f"{page}delete/", "/admin/dashboard/auditevent/add/"):
        assert client.post(path, {"post": "yes"}).status_code == 403


def test_every_address_of_what_was_said_is_watched() -> None:
    """A new one has to be entered, or named here as one that shows none of it."""
    shows_none = {page.name for page in PAGES}
    names = {entry.name for entry in page_urls.urlpatterns}
    assert names - shows_none - NOTHING_SAID == {name.removeprefix("d:") for name in WATCHED if name.startswith("d:")}
