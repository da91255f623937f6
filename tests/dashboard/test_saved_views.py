"""Views that are kept under a name: for oneself, or for a team; and that it is written down."""

from __future__ import annotations

import pytest

from dashboard.models import AuditEvent, SavedView
from dashboard.queries.views import kept_query
from tests.dashboard.people import client_of, person

pytestmark = pytest.mark.django_db


def save(role: str, name: str, query: str = "q=is%3Afailed", team: str = "", page: str = "requests") -> str:
    sent = {"page": page, "name": name, "query": query, "team": team}
    return client_of(role).post("/d/views/", sent)["Location"]


def listed(role: str, page: str = "requests") -> str:
    return client_of(role).get(f"/d/{page}/").content.decode()


def test_a_view_is_kept_and_leads_back() -> None:
    assert save("lead", "What fails", "range=7d&q=is%3Afailed&before=x") == "/d/requests/?q=is%3Afailed&range=7d"
    assert 'href="?q=is%3Afailed&amp;range=7d"' in listed("lead")
    assert "What fails" not in listed("lead", "errors")


def test_one_s_own_is_for_nobody_else_and_a_team_s_for_the_team() -> None:
    person("member"), person("other")
    save("lead", "for me alone")
    save("lead", "for all of us", team="alpha")
    assert [name in listed("member") for name in ("for me alone", "for all of us")] == [False, True]
    assert [name in listed("other") for name in ("for me alone", "for all of us")] == [False, False]
    assert "for all of us" in listed("ops")


def test_nobody_shares_with_a_team_they_are_not_in() -> None:
    person("other")
    save("lead", "mine", team="beta")
    assert SavedView.objects.get().team is None


def test_only_its_owner_removes_it_or_who_sees_every_team() -> None:
    person("member")
    save("lead", "ours", team="alpha")
    address = f"/d/views/{SavedView.objects.get().pk}/remove/"
    assert client_of("member").post(address).status_code == 404
    assert client_of("superuser").post(address).status_code == 302
    assert not SavedView.objects.exists()


def test_the_same_name_replaces_what_was_there() -> None:
    save("lead", "ours", "range=7d")
    save("lead", "ours", "range=30d")
    assert SavedView.objects.get().query == "range=30d"


def test_saving_and_removing_are_written_down() -> None:
    save("lead", "ours", team="alpha")
    client_of("lead").post(f"/d/views/{SavedView.objects.get().pk}/remove/")
    events = AuditEvent.objects.filter(action="changed").order_by("id").values_list("actor_name", "target", "details")
    assert list(events) == [
        ("lead", "saved view ours", "requests?q=is%3Afailed, shared with alpha"),
        ("lead", "saved view ours", "removed"),
    ]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("peek=1&after=2&q=a+b", "q=a+b"),
        ("columns=team+cost&page=2", "columns=team+cost"),
        ("next=https%3A%2F%2Fevil.example&team=alpha", "team=alpha"),
        ("q=%00x", "q=%00x"),
        ("", ""),
    ],
)
def test_only_what_a_page_can_be_asked_is_kept(text: str, kept: str) -> None:
    assert kept_query(text) == kept


def test_a_hostile_name_stays_text() -> None:
    save("lead", "<script>alert(1)</script>", team="alpha")
    assert "<script>alert" not in listed("lead")


def test_a_page_that_keeps_none_is_refused() -> None:
    sent = {"page": "https://evil.example/", "name": "x", "query": ""}
    assert client_of("lead").post("/d/views/", sent).status_code == 404
