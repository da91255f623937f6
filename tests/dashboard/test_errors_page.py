"""Failures by kind: who met them with which client, and that one may mute them for a while."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import MutedError
from dashboard.views.history import MOST_MUTED
from gateway.dialects.names import Outcome
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


def page_of(client: Client, address: str = "/d/errors/") -> str:
    return html.unescape(client.get(address).content.decode())


def kind_on(page: str) -> str:
    found = re.search(r'name="query" value="(.*?)"><input type="hidden" name="back"', page)
    assert found
    return found[1]


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
