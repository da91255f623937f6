"""Failures by kind and by what was said: who met them with which client, and that one may mute them for a while."""

from __future__ import annotations

import html
import json
import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import MutedError
from dashboard.queries import errors
from dashboard.queries.error_template import template_of
from dashboard.views.history import MOST_MUTED
from gateway.dialects.names import Outcome
from gateway.models import Redaction, ResponseLog
from tests.dashboard.people import client_of, person
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db


def failed(version: str = "2.1.329", **changes: object) -> Sample:
    agent = [("user-agent", f"claude-cli/{version} (external, cli)")]
    return Sample(
        {"model": "claude-opus-5-5"},
        chunks=[b"{}"],
        status=529,
        outcome=Outcome.UPSTREAM_ERROR,
        request_headers=agent,
        team="alpha",
        **changes,  # type: ignore[arg-type]
    )


def said(message: str, **changes: object) -> Sample:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": message}}
    answer = {"chunks": [json.dumps(body).encode()], "response_headers": [("content-type", "application/json")]}
    sample: dict[str, object] = {"status": 529, "outcome": Outcome.UPSTREAM_ERROR, "team": "alpha"}
    return Sample({"model": "claude-opus-5-5"}, **(sample | answer | changes))  # type: ignore[arg-type]


def page_of(client: Client, address: str = "/d/errors/") -> str:
    return html.unescape(client.get(address).content.decode())


def kinds_on(page: str) -> list[str]:
    return re.findall(r'name="query" value="(.*?)"><input type="hidden" name="back"', page)


def kind_on(page: str) -> str:
    return kinds_on(page)[0]


def templates_on(page: str) -> list[str]:
    return re.findall(r'er-template">(.*?)</span>', page)


def test_a_kind_says_which_clients_met_it() -> None:
    keep([failed(), failed(), failed("2.0.1")])
    page = page_of(client_of("lead"))
    first, second = re.findall(r'er-client">([^<]+) <small>.(\d+)', page)
    assert (first[1], second[1]) == ("2", "1")
    assert first[0].endswith("2.1.329")
    assert second[0].endswith("2.0.1")


def test_a_version_is_found_in_the_list() -> None:
    new, old = keep([failed(), failed("2.0.1")])
    page = page_of(client_of("lead"), "/d/requests/?q=version:2.0.1")
    assert str(old) in page
    assert str(new) not in page


def test_a_kind_is_muted_for_oneself_and_for_a_while() -> None:
    keep([failed()])
    lead = client_of("lead")
    sent = {"query": kind_on(page_of(lead)), "for": "24h", "back": "range=7d"}
    assert lead.post("/d/errors/mute/", sent)["Location"] == "/d/errors/?range=7d"
    page = page_of(lead)
    assert "1 muted by you" in page
    assert "in 0 groups" in page
    assert "muted by you" not in page_of(client_of("member")), "others see it all the same"
    MutedError.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert "muted by you" not in page_of(lead)


def test_a_mute_is_ended_by_hand() -> None:
    keep([failed()])
    lead = client_of("lead")
    kind = kind_on(page_of(lead))
    lead.post("/d/errors/mute/", {"query": kind, "for": "7d"})
    lead.post("/d/errors/mute/", {"query": kind})
    assert not MutedError.objects.exists()


def test_mutes_that_are_over_make_room_for_others() -> None:
    keep([failed()])
    lead, over = client_of("lead"), timezone.now() - timedelta(seconds=1)
    owner = person("lead")
    MutedError.objects.bulk_create(
        MutedError(owner=owner, query=f"kind:{number}", until=over) for number in range(MOST_MUTED)
    )
    lead.post("/d/errors/mute/", {"query": kind_on(page_of(lead)), "for": "1h"})
    assert MutedError.objects.get().until > timezone.now()


def test_nobody_ends_the_mute_of_another() -> None:
    keep([failed()])
    lead = client_of("lead")
    kind = kind_on(page_of(lead))
    lead.post("/d/errors/mute/", {"query": kind, "for": "7d"})
    client_of("member").post("/d/errors/mute/", {"query": kind})
    assert MutedError.objects.get().owner == person("lead")


def test_what_is_muted_does_not_stand_on_the_overview_either() -> None:
    keep([failed()])
    lead = client_of("lead")
    most = "Failing most.*?Slowest"
    (before,) = re.findall(most, page_of(lead, "/d/"), re.S)
    assert "529" in before
    lead.post("/d/errors/mute/", {"query": kind_on(page_of(lead)), "for": "1h"})
    (after,) = re.findall(most, page_of(lead, "/d/"), re.S)
    assert "529" not in after


def test_messages_that_differ_in_what_varies_are_one_group() -> None:
    keep([said(f"{number} tokens too many (req_01Ab{number}CdEfGh)") for number in (7, 12_345)])
    keep([said("Overloaded")])
    page = page_of(client_of("lead"))
    assert "3 failures in 2 groups," in page
    assert templates_on(page) == ["# tokens too many (req_#)", "Overloaded"]
    assert "12345 tokens too many (req_01Ab12345CdEfGh)" in page, "one of them stands there as it was"
    assert page.count("Overloaded") == 1, "what says no more than its template does not"


def test_a_group_leads_to_its_requests() -> None:
    first, second = keep([said("Overloaded"), said("Not today")])
    page = page_of(client_of("lead"))
    links = re.findall(r'data-row href="(/d/requests/[^"]+)"', page)
    assert len(links) == 2
    for link in links:
        found = page_of(client_of("lead"), link)
        assert str(first) in found
        assert str(second) in found, "the language of the list knows kinds, not messages"


def test_a_mute_is_of_one_message_and_not_of_all_of_its_kind() -> None:
    keep([said("Overloaded by 1"), said("Overloaded by 2"), said("Not today")])
    lead = client_of("lead")
    lead.post("/d/errors/mute/", {"query": kind_on(page_of(lead)), "for": "1h"})
    keep([said("Overloaded by 3")])
    page = page_of(lead)
    assert templates_on(page) == ["Not today"]
    assert "1 muted by you" in page
    lead.post("/d/errors/mute/", {"query": kinds_on(page)[-1]})
    assert templates_on(page_of(lead)) == ["Overloaded by #", "Not today"]


def test_a_mute_of_before_is_of_every_message_of_its_kind_and_ends_for_all() -> None:
    keep([said("Overloaded"), said("Not today")])
    lead = client_of("lead")
    MutedError.objects.create(
        owner=person("lead"),
        query='outcome:upstream_error status:529 error:"overloaded_error" model:"claude-opus-5-5"',
        until=timezone.now() + timedelta(hours=1),
    )
    page = page_of(lead)
    assert "2 muted by you" in page
    assert templates_on(page) == []
    lead.post("/d/errors/mute/", {"query": kind_on(page)})
    assert len(templates_on(page_of(lead))) == 2


def test_of_a_message_without_end_its_beginning_is_looked_at() -> None:
    keep([failed()])
    ResponseLog.objects.update(error_message="It began. " + "x" * 2 * errors.LONGEST_READ)
    [(group, *_)] = client_of("lead").get("/d/errors/").context["groups"]
    assert len(group.message) == errors.LONGEST_READ - errors.TAIL
    assert group.message.startswith("It began. ")


def test_a_mute_fits_however_long_the_kind_is_called() -> None:
    keep([Sample({"model": "m" * 3_000}, chunks=[b"{}"], status=529, outcome=Outcome.UPSTREAM_ERROR, team="alpha")])
    lead = client_of("lead")
    lead.post("/d/errors/mute/", {"query": kind_on(page_of(lead)), "for": "1h"})
    assert "1 muted by you" in page_of(lead)


def test_who_may_not_read_sees_neither_messages_nor_how_many_there_are() -> None:
    keep([said("Overloaded"), said("Not today")])
    page = page_of(client_of("ops"))
    assert "2 failures in 1 group," in page
    assert templates_on(page) == []
    assert "Not today" not in page


def test_what_is_hidden_tells_no_groups_apart() -> None:
    Redaction.objects.create(name="customers", patterns=["Contoso", "Fabrikam"])
    keep([said(f"{customer} has {number} too many") for number, customer in enumerate(("Contoso", "Fabrikam"))])
    page = page_of(client_of("lead"))
    assert templates_on(page) == ["[hidden: customers] has # too many"]
    assert "Contoso" not in page
    assert "Fabrikam" not in page


def test_no_more_groups_are_listed_than_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "GROUPS_SHOWN", 2)
    keep([said("often"), said("often"), said("seldom"), said("seldom"), said("once")])
    page = page_of(client_of("lead"))
    assert "5 failures in 3 groups," in page
    assert "the 2 most frequent" in page
    assert templates_on(page) == ["seldom", "often"] or templates_on(page) == ["often", "seldom"]


def test_a_message_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(errors, "template_of", lambda message: asked.append(message) or template_of(message))
    keep([said("Overloaded") for _ in range(5)])
    page_of(client_of("lead"))
    assert asked == ["Overloaded"]


def test_the_overview_tells_the_same_groups_apart() -> None:
    keep([said(f"try again in {uuid.uuid4()}") for _ in range(3)] + [said("Not today")])
    (most,) = re.findall("Failing most.*?Slowest", page_of(client_of("lead"), "/d/"), re.S)
    assert "try again in #<" in most
    assert "Not today<" in most
