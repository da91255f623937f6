"""The line above every page: what everybody should know first."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db

TELL = """
INSERT INTO gateway_processgauges (process, role, host, began_at, told_at, gauges)
VALUES (%s, %s, 'here', now(), now() - %s * interval '1 second', %s)
"""


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def tell(role: str, age: float = 0, **gauges: float) -> None:
    told = [[name, value, {}] for name, value in gauges.items()]
    with connection.cursor() as cursor:
        cursor.execute(TELL, [f"{role} here:1", role, age, json.dumps(told)])


def tell_breaker(provider: str, model: str, state: str) -> None:
    labels = {"provider": provider, "model": model, "state": state}
    with connection.cursor() as cursor:
        cursor.execute(TELL, ["web here:1", "web", 0, json.dumps([["breaker_state", 1, labels]])])


def say_used(share: float, team: str = "alpha") -> None:
    at = timezone.now() - timedelta(minutes=1)
    headers = [
        ("content-type", "text/event-stream"),
        ("anthropic-organization-id", "6f1d2c1e-58a1-4f0e-9d0b-2f7f3a6f5b11"),
        ("anthropic-ratelimit-unified-5h-utilization", f"{share}"),
        ("anthropic-ratelimit-unified-5h-reset", str(int((at + timedelta(hours=2)).timestamp()))),
    ]
    keep([Sample({"model": "claude-opus-5-5"}, at=at, team=team, response_headers=headers)])


def noticed(role: str = "superuser", address: str = "/d/") -> list[str]:
    page = html.unescape(client_of(role).get(address).content.decode())
    found = re.findall(r'pt-notice-(?:warn|bad)"><span[^>]*>.</span> ([^<]*)', page)
    return [words.strip() for words in found]


def test_nothing_stands_there_while_all_is_well() -> None:
    tell("web", recorder_keeps_history=1, draining=0)
    tell("loader", spool_oldest_seconds=2)
    assert noticed() == []
    assert 'id="notices"' in client_of("superuser").get("/d/").content.decode(), "it asks again all the same"


def test_what_is_not_recorded_stands_first_on_every_page() -> None:
    tell("web", recorder_keeps_history=0, draining=1)
    worst = "What comes in now is not recorded."
    for address in ("/d/", "/d/live/", "/d/usage/", "/d/notices/"):
        assert noticed(address=address) == [worst, "A gateway process drains: it takes no new requests."], address


def test_the_admin_s_first_page_has_it_too() -> None:
    tell("web", draining=1)
    client = client_of("superuser")
    User.objects.filter(username="superuser").update(is_staff=True)
    assert "A gateway process drains" in client.get("/admin/").content.decode()


def test_a_loader_that_is_gone_is_missed_and_a_late_one_is_told() -> None:
    tell("web")
    assert noticed() == [], "none was ever here: it may run elsewhere, or within `web`"
    cache.clear()
    tell("loader", age=120)
    assert noticed() == ["Nothing moves requests into the history: no loader runs."]


def test_a_history_that_is_behind_is_told() -> None:
    tell("web")
    tell("loader", spool_oldest_seconds=300)
    assert noticed() == ["The history is 5 min behind what comes in."]


def test_an_open_breaker_is_told_and_its_model_only_to_those_who_see_every_team() -> None:
    tell_breaker("anthropic", "secret-model", "open")
    told = "The breaker of anthropic is open"
    assert noticed("ops") == [f"{told} for secret-model: it keeps failing."]
    assert noticed("lead") == [f"{told}: it keeps failing."]


def test_a_window_that_is_nearly_used_up_is_told_to_those_who_use_it() -> None:
    say_used(0.94)
    (words,) = noticed("lead")
    assert words.startswith("94% of the 5h window of 6f1d2c1e… is used; it begins anew ")
    assert noticed("other") == []


def test_a_window_with_more_than_a_tenth_left_is_not() -> None:
    say_used(0.89)
    assert noticed("lead") == []


def test_who_belongs_nowhere_is_told_nothing() -> None:
    tell("web", draining=1)
    page = client_of("stranger").get("/d/me/").content.decode()
    assert "notices" not in page
