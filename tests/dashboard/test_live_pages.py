"""The live pages as they are first sent: before anything moves they say what would."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from dashboard.live.board import Board
from dashboard.live.hub import hub
from tests.dashboard.people import client_of
from tests.dashboard.test_live_board import notice, start
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("name", "words"), [("live", "Nothing is under way"), ("agents", "Nobody is at work")])
def test_an_empty_page_teaches(name: str, words: str) -> None:
    page = client_of("superuser").get(reverse(f"d:{name}"))
    assert page.status_code == 200
    assert words in page.text


def test_nothing_is_listened_to_when_nobody_looks_any_more() -> None:
    client_of("superuser").get(reverse("d:live_since"))
    assert hub.is_listening
    hub.stop()
    assert not hub.is_listening


def uuid(number: int) -> str:
    return str(UUID(int=number))


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests under way, and two sessions between turns."""
    board = Board()
    board.take(
        notice(
            0,
            start(uuid(1), "alpha", key="ada", model="opus", to="claude-opus-5-5", provider="anthropic", session="s1"),
            start(uuid(2), "alpha", key="ben", model="gpt-6", provider="openai", session="s2"),
            start(uuid(3), "beta", key="cleo", model="claude-opus-5-5", provider="anthropic", session="s3"),
        )
    )
    monkeypatch.setattr("dashboard.queries.agents.hub", board)
    at = timezone.now() - timedelta(minutes=1)
    for team, key, session in (("alpha", "dora", "s4"), ("beta", "emil", "s5")):
        headers = [("x-claude-code-session-id", session)]
        keep([Sample({"model": "claude-opus-5-5"}, at=at, team=team, access_key=key, request_headers=headers)])
    cache.clear()


def agents(role: str, address: str) -> set[str]:
    page = client_of(role).get(address).text
    return set(re.findall(r"\b(ada|ben|cleo|dora|emil)\b", page.split("data-part")[-1].split("<dialog")[0]))


@pytest.mark.usefixtures("at_work")
@pytest.mark.parametrize(
    ("narrowed", "shown"),
    [
        ("", {"ada", "ben", "cleo", "dora", "emil"}),
        ("team=alpha", {"ada", "ben", "dora"}),
        ("key=ada", {"ada"}),
        ("key=emil", {"emil"}),
        ("provider=openai", {"ben"}),
        ("model=opus", {"ada"}),
        ("team=beta&provider=anthropic", {"cleo", "emil"}),
    ],
)
def test_agents_are_those_that_the_address_narrows_to(narrowed: str, shown: set[str]) -> None:
    assert agents("superuser", f"/d/agents/now/?{narrowed}") == shown
    assert agents("superuser", f"/d/agents/?{narrowed}") == shown


@pytest.mark.usefixtures("at_work")
def test_nobody_narrows_to_a_team_that_is_not_theirs() -> None:
    assert agents("superuser", "/d/agents/now/?team=beta") == {"cleo", "emil"}
    assert agents("lead", "/d/agents/now/?team=beta") == set()
    assert agents("lead", "/d/agents/now/") == {"ada", "ben", "dora"}


def test_the_part_that_changes_is_asked_for_as_the_page_was() -> None:
    page = html.unescape(client_of("superuser").get("/d/agents/?team=alpha&model=m").text)
    assert 'data-now="/d/agents/now/?team=alpha&model=m"' in page


def test_live_is_told_what_to_narrow_to() -> None:
    page = client_of("superuser").get("/d/live/?team=a%26b&key=k").text
    assert 'data-team="a&amp;b" data-key="k" data-model="" data-provider=""' in page
