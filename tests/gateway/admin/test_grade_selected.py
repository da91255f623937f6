"""Prompts ticked in the list of requests: asked for once confirmed, by those who may read them."""

from __future__ import annotations

import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from gateway.models import Grade, GradedRequest, GradingSettings, Team
from tests.dashboard.people import client_of
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db
LIST = "/admin/gateway/requestlog/"
GRADE = f"{LIST}grade/"
TICK = re.compile(r'name="selected" value="([0-9a-f-]{36})"')


def asked(text: str, team: str = "alpha") -> Sample:
    return Sample({"model": "m", "messages": [{"role": "user", "content": text}]}, team=team)


@pytest.fixture
def ids() -> list[str]:
    for team in ("alpha", "beta"):
        Team.objects.get_or_create(name=team)
    made = keep(
        [asked("first"), asked("second"), Sample({"model": "m", "messages": []}, team="alpha"), asked("b", "beta")]
    )
    return [str(each) for each in made]


def reader(role: str) -> Client:
    client = client_of(role)
    User.objects.filter(username=role).update(is_staff=True)
    return client


def post(client: Client, ids: list[str], **more: str) -> Any:
    return client.post(GRADE, {"selected": ids, **more}, follow=True)


def test_the_list_has_a_tick_for_those_who_may_read(ids: list[str]) -> None:
    assert set(TICK.findall(reader("member").get(LIST).content.decode())) == set(ids[:3])
    assert not TICK.findall(reader("ops").get(LIST).content.decode())


def test_nothing_is_asked_before_it_is_confirmed_and_the_cost_is_told(ids: list[str]) -> None:
    client = reader("member")
    page = post(client, ids[:2]).content.decode()
    assert "not known" in page
    assert "No judge is set" in page
    assert not Grade.objects.exists()
    GradingSettings.objects.create(judge_model="claude-judge")
    post(client, ids[:1], confirmed="yes")
    Grade.objects.update(state=Grade.State.DONE, cost_usd=Decimal("0.25"))
    page = post(client, ids[:2]).content.decode()
    assert "claude-judge" in page
    assert "0.25" in page
    assert page.count("graded or waiting") == 1


def test_what_is_confirmed_is_asked_for_once_and_the_rest_is_named(ids: list[str]) -> None:
    client = reader("member")
    page = post(client, [*ids, "nonsense", str(uuid.uuid4())], confirmed="yes").content.decode()
    assert "2 prompts asked for" in page
    assert "1 not asked for" in page
    grades = Grade.objects.all()
    assert {(grade.team, grade.origin, grade.asked_by) for grade in grades} == {("alpha", "admin", "member")}
    assert {str(found) for found in GradedRequest.objects.values_list("request_id", flat=True)} == set(ids[:2])
    post(client, ids, confirmed="yes")
    assert Grade.objects.count() == 2


@pytest.mark.parametrize("role", ["ops", "other"])
def test_nobody_spends_on_words_they_may_not_read(ids: list[str], role: str) -> None:
    page = post(reader(role), ids[:3], confirmed="yes").content.decode()
    assert "Tick the requests" in page
    assert not Grade.objects.exists()


def test_a_link_asks_for_nothing(ids: list[str]) -> None:
    page = reader("member").get(f"{GRADE}?selected={ids[0]}&confirmed=yes", follow=True).content.decode()
    assert "Tick the requests" in page
    assert not Grade.objects.exists()
