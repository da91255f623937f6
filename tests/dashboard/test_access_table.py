"""Who gets what at each address (SEC-03), that nobody meets another team's rows (SEC-04), that whatever changes
something asks for its token (SEC-08), and that a place in the admin alone opens nothing (SEC-23).

An address without a line in the table fails.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse

from dashboard import page_urls
from dashboard.live.hub import hub
from dashboard.models import PinnedRequest, SavedView
from dashboard.queries.request_columns import COLUMNS
from gateway.history.rollups import roll_up_all
from gateway.models import Member
from tests.dashboard.people import ROLES, client_of, person
from tests.exchanges import Sample, keep_one, message_stream

pytestmark = pytest.mark.django_db

SAID = "the walrus of alpha sings"
MARK = "zebra"
"""Of everything of alpha that is not said but known: names, sessions, clients."""
SESSION = f"{MARK}-session"
NOBODY = {"anonymous": 302, "disabled": 302}
OPEN = NOBODY | {"stranger": 200, **dict.fromkeys(("member", "lead", "other", "ops", "admin", "superuser"), 200)}
FIGURES = OPEN | {"stranger": 403}
ROWS = FIGURES | {"ops": 403}
ITS_FIGURES = FIGURES | {"other": 404}
ITS_ROWS = ROWS | {"other": 404}
EVERY_TEAM = ("ops", "admin", "superuser")
TABLE: dict[str, dict[str, int]] = {
    "overview": FIGURES,
    "overview_line": FIGURES,
    "live": FIGURES,
    "live_since": FIGURES,
    "agents": FIGURES,
    "agents_now": FIGURES,
    "alerts": FIGURES,
    "requests": FIGURES,
    "requests_file": FIGURES,
    "pinned": FIGURES,
    "errors": FIGURES,
    "usage": FIGURES,
    "quota": FIGURES,
    "models": FIGURES,
    "health": FIGURES,
    "notices": FIGURES,
    "me": OPEN,
    "first_request": OPEN,
    "conversations": ROWS,
    "grades": ROWS,
    "request": ITS_FIGURES,
    "request_there": FIGURES,
    "request_peek": ITS_FIGURES,
    "request_raw": ITS_ROWS,
    "request_media": ITS_ROWS,
    "request_copy": ITS_ROWS,
    "request_replay": ITS_ROWS | {"member": 403, "lead": 403},
    "request_grade_page": ITS_ROWS,
    "request_grade": ITS_ROWS,
    "conversation": ITS_ROWS,
    "conversation_newer": ITS_ROWS,
}
"""What each answers a GET about alpha's request."""
CHANGES: dict[str, dict[str, int]] = {
    "save_view": FIGURES | dict.fromkeys(("member", "lead", "other", "ops", "admin", "superuser"), 302),
    "remove_view": FIGURES | dict.fromkeys(("member", "other", "ops", "admin", "superuser"), 404) | {"lead": 302},
    "pin_request": ITS_FIGURES | dict.fromkeys(("member", "lead", "ops", "admin", "superuser"), 302),
    "remove_pin": FIGURES | dict.fromkeys(("member", "other", "ops", "admin", "superuser"), 404) | {"lead": 302},
    "acknowledge_alert": FIGURES | dict.fromkeys(("member", "lead", "other", "ops", "admin", "superuser"), 404),
    "mute_error": FIGURES | dict.fromkeys(("member", "lead", "other", "ops", "admin", "superuser"), 302),
    "mute_rule": FIGURES | dict.fromkeys(("member", "lead", "other"), 403) | dict.fromkeys(EVERY_TEAM, 302),
    "correct_grade": ITS_ROWS | {"member": 404, "lead": 404, "admin": 404, "superuser": 404},
}
"""What each answers a POST: about a view that alpha's lead saved for themselves, a pin of theirs, and about a rule, an
alert and a grade that are not there."""
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(autouse=True)
def _nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread behind the live pages would hold the test's database open."""
    monkeypatch.setattr(hub, "want", lambda: None)


@pytest.fixture
def of_alpha() -> uuid.UUID:
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    said = [{"type": "image", "source": source}, {"type": "text", "text": SAID}]
    found = keep_one(
        Sample(
            {"model": f"{MARK}-model", "messages": [{"role": "user", "content": said}]},
            message_stream(f"{SAID} again", model=f"{MARK}-model"),
            team="alpha",
            access_key=f"{MARK}-key",
            request_headers=[("x-claude-code-session-id", SESSION), ("user-agent", f"{MARK}/1.0")],
        )
    )
    roll_up_all()
    return found


def picture_of(request_id: uuid.UUID) -> str:
    page = client_of("superuser").get(reverse("d:request", args=[request_id])).content.decode()
    return page.split(f"/d/r/{request_id}/media/")[1].split("/")[0]


def address_of(name: str, request_id: uuid.UUID) -> str:
    more: dict[str, list[object]] = {
        "request_raw": ["request"],
        "request_copy": ["markdown"],
        "request_media": [picture_of(request_id)] if name == "request_media" else [],
    }
    if name == "conversation":
        return reverse("d:conversation", args=[SESSION])
    if name == "conversation_newer":
        return reverse("d:conversation_newer", args=[request_id, SESSION])
    about = name.startswith("request_") or name in ("request", "correct_grade", "pin_request")
    return reverse(f"d:{name}", args=[request_id, *more.get(name, [])] if about else [])


def test_every_address_has_a_line() -> None:
    assert {entry.name for entry in page_urls.urlpatterns} == TABLE.keys() | CHANGES.keys()
    assert all(line.keys() == set(ROLES) for line in (*TABLE.values(), *CHANGES.values()))


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_what_the_table_says(role: str, of_alpha: uuid.UUID) -> None:
    client = client_of(role)
    found = {name: client.get(address_of(name, of_alpha)).status_code for name in TABLE}
    assert found == {name: line[role] for name, line in TABLE.items()}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_changes_what_the_table_says(role: str, of_alpha: uuid.UUID) -> None:
    view = SavedView.objects.create(owner=person("lead"), page="requests", name="mine", query="q=is%3Afailed")
    pin = PinnedRequest.objects.create(owner=person("lead"), request_id=of_alpha)
    client = client_of(role)
    addresses = {
        "pin_request": reverse("d:pin_request", args=[of_alpha]),
        "remove_pin": reverse("d:remove_pin", args=[pin.pk]),
        "save_view": reverse("d:save_view"),
        "acknowledge_alert": reverse("d:acknowledge_alert", args=[1]),
        "mute_error": reverse("d:mute_error"),
        "mute_rule": reverse("d:mute_rule", args=[1]),
        "remove_view": reverse("d:remove_view", args=[view.pk]),
        "correct_grade": reverse("d:correct_grade", args=[of_alpha]),
    }
    sent = {"page": "requests", "name": "new", "query": "", "score": "3"}
    found = {name: client.post(addresses[name], sent).status_code for name in CHANGES}
    assert found == {name: line[role] for name, line in CHANGES.items()}
    assert SavedView.objects.filter(pk=view.pk).exists() == (role != "lead")
    assert PinnedRequest.objects.filter(pk=pin.pk).exists() == (role != "lead")


def readings(request_id: uuid.UUID) -> Iterator[str]:
    """Every way to ask for something of alpha: by page, by field, by text, by id, by place in a list."""
    for name in TABLE:
        yield address_of(name, request_id)
    for page in (
        "",
        "live/",
        "agents/",
        "agents/now/",
        "requests/",
        "errors/",
        "usage/",
        "models/",
        "quota/",
        "c/",
        "grades/",
    ):
        for query in ("range=30d", "team=alpha", f"model={MARK}-model", f"key={MARK}-key"):
            yield f"/d/{page}?{query}"
    fields = ("model:zebra", "key:zebra-key", "team:alpha", f"session:{SESSION}", "walrus", '"of alpha sings"')
    for asked in (*fields, str(request_id)):
        yield f"/d/requests/?range=30d&q={asked}"
    yield f"/d/requests/?range=30d&columns={'+'.join(column.name for column in COLUMNS)}"
    for tab in ("messages", "raw", "timeline", "headers", "limits", "cost", "related", "grade"):
        yield f"/d/r/{request_id}/?tab={tab}"
    for part in ("copy=markdown", "copy=json", f"diff={request_id}", "part=turns", "part=peek"):
        yield f"/d/c/{SESSION}?{part}"
    for query in ("range=30d", "range=30d&format=ndjson", "range=30d&q=model:zebra", "range=30d&q=walrus"):
        yield f"/d/requests/file/?{query}"
    for group in ("team", "member", "key", "client"):
        yield f"/d/usage/?range=30d&group={group}&format=csv"


def shown(response: HttpResponse, asked: str) -> str:
    """Without what the page only says again of what it was asked."""
    body = b"".join(response) if response.streaming else response.content  # type: ignore[attr-defined]
    text = body.decode(errors="replace")
    return "\n".join(
        line
        for line in text.splitlines()
        if not any(
            f in line for f in ("<form", "<input", "<select", "<a ", "<option", 'id="quota"', "data-now=", "data-live")
        )
    )


@pytest.mark.parametrize("role", ["anonymous", "disabled", "stranger", "other"])
def test_no_address_shows_another_team_anything(role: str, of_alpha: uuid.UUID) -> None:
    keep_one(Sample({"model": "plain", "messages": []}, team="beta"))
    roll_up_all()
    client = client_of(role)
    for address in readings(of_alpha):
        response = client.get(address)
        assert response.status_code in (200, 302, 403, 404), address
        if response.status_code == 200:
            text = shown(response, address)
            assert SAID not in text, address
            assert MARK not in text, address


def test_what_is_counted_leaves_another_team_out(of_alpha: uuid.UUID) -> None:
    for query in ("range=30d", "range=30d&team=alpha", "range=30d&q=model:zebra"):
        assert "<p>0 requests" in client_of("other").get(f"/d/requests/?{query}").content.decode(), query
        assert "<p>1 request," in client_of("lead").get(f"/d/requests/?{query}").content.decode(), query


def test_ops_meet_nothing_that_was_said(of_alpha: uuid.UUID) -> None:
    client = client_of("ops")
    opened = 0
    for address in readings(of_alpha):
        response = client.get(address)
        if response.status_code == 200:
            opened += 1
            assert SAID not in shown(response, address), address
    assert opened > 20


def flat(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern]:
    for entry in patterns:
        if isinstance(entry, URLResolver):
            yield from flat(entry.url_patterns)
        else:
            yield entry


@pytest.mark.parametrize("name", sorted([*TABLE, *CHANGES]))
def test_nothing_is_posted_without_its_token(name: str, of_alpha: uuid.UUID) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("root"))
    numbered = name in ("remove_view", "remove_pin", "acknowledge_alert", "mute_rule")
    address = reverse(f"d:{name}", args=[1]) if numbered else address_of(name, of_alpha)
    for method in ("post", "put", "patch", "delete"):
        assert getattr(client, method)(address).status_code in (403, 405), (method, name)


def test_a_place_in_the_admin_alone_opens_nothing() -> None:
    """Staff without a role: no list, no form, no page of ours, no action."""
    client = Client()
    client.force_login(User.objects.create_user("staff", is_staff=True))
    free = {"index", "login", "logout", "password_change", "password_change_done", "jsi18n", "autocomplete", "search"}
    tried = 0
    for entry in flat(admin.site.get_urls()):
        if entry.name is None or entry.name in free or entry.pattern.regex.groups:
            continue
        address = reverse(f"admin:{entry.name}")
        for method in ("get", "post"):
            tried += 1
            assert getattr(client, method)(address).status_code in (403, 404, 405), (method, address)
    assert tried > 60


def test_a_lead_does_not_make_themselves_more() -> None:
    lead = person("lead")
    assert lead is not None
    User.objects.filter(pk=lead.pk).update(is_staff=True)
    client = client_of("lead")
    place = Member.objects.get(user=lead)
    client.post(f"/admin/gateway/member/{place.pk}/change/", {"user": lead.pk, "role": "admin"})
    client.post("/admin/gateway/member/add/", {"user": lead.pk, "role": "admin"})
    client.post(f"/admin/auth/user/{lead.pk}/change/", {"username": "lead", "is_superuser": "on"})
    lead.refresh_from_db()
    assert (list(Member.objects.filter(user=lead)), lead.is_superuser) == ([place], False)
    assert Member.objects.get(pk=place.pk).role == Member.Role.LEAD
