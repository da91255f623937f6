"""Requests that are pinned with a note: who sees a pin, who takes it away, and what outlives the request."""

from __future__ import annotations

import uuid

import pytest

from dashboard.models import AuditEvent, PinnedRequest
from dashboard.queries.pins import LONGEST
from gateway.models import RequestLog, Team
from tests.dashboard.people import client_of, person
from tests.exchanges import Sample, keep_one

pytestmark = pytest.mark.django_db

REQUEST = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "the walrus sings"}]}


@pytest.fixture
def of_alpha() -> uuid.UUID:
    for role in ("member", "lead", "other", "ops"):
        person(role)
    return keep_one(Sample(REQUEST, team="alpha"))


def pin(role: str, request_id: uuid.UUID, note: str = "look at this", **sent: str) -> int:
    return client_of(role).post(f"/d/r/{request_id}/pin/", {"note": note, **sent}).status_code


def listed(role: str) -> str:
    return client_of(role).get("/d/pinned/").content.decode()


def test_a_pin_stands_on_the_request_s_page_and_in_the_list(of_alpha: uuid.UUID) -> None:
    assert "Nothing is pinned" in listed("member")
    assert pin("member", of_alpha) == 302
    page = client_of("member").get(f"/d/r/{of_alpha}/").content.decode()
    assert "look at this" in page
    assert "look at this" in listed("member")
    assert f'href="/d/r/{of_alpha}/"' in listed("member")


def test_one_s_own_is_for_nobody_else_and_a_shared_one_for_its_team(of_alpha: uuid.UUID) -> None:
    pin("member", of_alpha, "for me")
    pin("lead", of_alpha, "for us", team="1")
    seen = {role: [note in listed(role) for note in ("for me", "for us")] for role in ("member", "lead", "other")}
    assert seen == {"member": [True, True], "lead": [False, True], "other": [False, False]}
    page = client_of("member").get(f"/d/r/{of_alpha}/").content.decode()
    assert "for us" in page
    assert "by lead, for alpha" in page


def test_a_request_of_no_team_is_pinned_for_oneself() -> None:
    request_id = keep_one(Sample(REQUEST))
    pin("admin", request_id, team="1")
    assert PinnedRequest.objects.get().team is None


def test_another_team_s_request_is_not_pinned_and_neither_is_one_that_is_not_there(of_alpha: uuid.UUID) -> None:
    assert pin("other", of_alpha) == 404
    assert pin("lead", uuid.UUID(int=7 << 76)) == 404
    assert not PinnedRequest.objects.exists()


def test_a_note_is_for_those_who_read_what_the_team_says(of_alpha: uuid.UUID) -> None:
    pin("lead", of_alpha, "it says the walrus sings", team="1")
    for role, reads in (("member", True), ("ops", False)):
        text = listed(role)
        assert "lead <small>for alpha" in text, role
        assert ("the walrus sings" in text) == reads, role
        page = client_of(role).get(f"/d/r/{of_alpha}/").content.decode()
        assert "by lead, for alpha" in page, role
        assert ("it says the walrus sings" in page) == reads, role


def test_who_pinned_as_many_as_one_may_is_told_and_keeps_the_note(
    of_alpha: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.views.pins.MOST", 1)
    pin("lead", keep_one(Sample(REQUEST, team="alpha")), "first")
    answer = client_of("lead").post(f"/d/r/{of_alpha}/pin/", {"note": "of the second"})
    assert answer.status_code == 409
    assert "Your note was: of the second" in answer.content.decode()
    assert f'href="/d/r/{of_alpha}/"' in answer.content.decode()
    assert PinnedRequest.objects.count() == 1


def test_pinned_once_more_the_note_is_changed(of_alpha: uuid.UUID) -> None:
    pin("lead", of_alpha, "first", team="1")
    pin("lead", of_alpha, "second\0" + "x" * LONGEST)
    [found] = PinnedRequest.objects.all()
    assert (found.note[:7], len(found.note), found.team) == ("secondx", LONGEST, None)


def test_only_its_owner_takes_it_away_or_who_sees_every_team(of_alpha: uuid.UUID) -> None:
    pin("lead", of_alpha, team="1")
    address = f"/d/pinned/{PinnedRequest.objects.get().pk}/remove/"
    assert client_of("member").post(address).status_code == 404
    assert client_of("ops").post(address).status_code == 404
    assert client_of("superuser").post(address, {"from": "list"})["Location"] == "/d/pinned/"
    pin("lead", of_alpha)
    address = f"/d/pinned/{PinnedRequest.objects.get().pk}/remove/"
    assert client_of("lead").post(address)["Location"] == f"/d/r/{of_alpha}/"
    assert not PinnedRequest.objects.exists()


def test_a_pin_outlives_its_request(of_alpha: uuid.UUID) -> None:
    pin("lead", of_alpha, "why it failed")
    RequestLog.objects.filter(id=of_alpha).delete()
    text = listed("lead")
    assert "why it failed" in text
    assert "gone" in text
    answer = client_of("lead").get(f"/d/r/{of_alpha}/")
    assert answer.status_code == 404
    assert "why it failed" in answer.content.decode()
    assert "why it failed" not in client_of("member").get(f"/d/r/{of_alpha}/").content.decode()


def test_a_pin_outlives_its_team_as_one_s_own(of_alpha: uuid.UUID) -> None:
    pin("lead", of_alpha, team="1")
    Team.objects.filter(name="alpha").delete()
    assert PinnedRequest.objects.get().team is None


def test_pinning_and_taking_away_are_written_down_without_the_note(of_alpha: uuid.UUID) -> None:
    pin("lead", of_alpha, "a secret of mine", team="1")
    client_of("lead").post(f"/d/pinned/{PinnedRequest.objects.get().pk}/remove/")
    events = AuditEvent.objects.filter(action="changed").order_by("id").values_list("actor_name", "target", "details")
    assert list(events) == [
        ("lead", f"pin of request {of_alpha}", "shared with alpha"),
        ("lead", f"pin of request {of_alpha}", "removed"),
    ]


def test_a_hostile_note_stays_text(of_alpha: uuid.UUID) -> None:
    pin("lead", of_alpha, "<script>alert(1)</script>")
    for address in ("/d/pinned/", f"/d/r/{of_alpha}/"):
        assert "<script>alert" not in client_of("lead").get(address).content.decode()


@pytest.mark.parametrize(("tab", "query"), [("messages", ""), ("headers", "?tab=headers")])
def test_the_link_of_the_page_is_there_to_copy(of_alpha: uuid.UUID, tab: str, query: str) -> None:
    text = client_of("lead").get(f"/d/r/{of_alpha}/?tab={tab}&reveal=1&turn=1").content.decode()
    assert f'data-copy="http://testserver/d/r/{of_alpha}/{query}"' in text


def test_who_may_not_read_copies_the_link_alone(of_alpha: uuid.UUID) -> None:
    text = client_of("ops").get(f"/d/r/{of_alpha}/").content.decode()
    assert f'data-copy="http://testserver/d/r/{of_alpha}/"' in text
    assert "/copy/" not in text
