"""The admin's first page, and its sidebar."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from gateway.dialects.names import Outcome
from gateway.history.rollups import roll_up_all
from gateway.models import RequestLog
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db

DASHES = ("\N{EN DASH}", "")
REQUEST = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin", "admin@example.com", "secret"))
    return client


def tiles(page: str) -> dict[str, str]:
    found = re.findall(r'pt-label">([^<]+)</span>\s*<span class="pt-value[^"]*">([^<]*)<', page)
    return {name: value.replace("\xa0", " ").strip() for name, value in found}


def start(client: Client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return response.content.decode()


def test_an_empty_history_teaches_how_to_connect(admin: Client) -> None:
    page = html.unescape(start(admin))
    assert "export ANTHROPIC_BASE_URL=http://testserver" in page
    assert 'base_url = "http://testserver/v1"' in page


def test_it_sums_the_last_day_as_the_overview_does(admin: Client) -> None:
    now = datetime.now(UTC)
    keep(
        [
            *[Sample(REQUEST) for _ in range(3)],
            Sample(REQUEST, status=529, outcome=Outcome.UPSTREAM_ERROR, chunks=[b"{}"]),
            Sample(REQUEST, at=now - timedelta(hours=26)),
        ]
    )
    roll_up_all()
    for address in ("/admin/", "/d/"):
        page = tiles(admin.get(address).content.decode())
        assert (page["Requests"], page["Failed"]) == ("4", "25 %"), address


def test_unknown_tokens_are_not_summed_to_zero(admin: Client) -> None:
    keep([Sample(REQUEST, chunks=[b"{}"])])
    roll_up_all()
    assert tiles(start(admin))["Tokens out"] in DASHES


def test_each_figure_leads_to_its_page(admin: Client) -> None:
    keep([Sample(REQUEST, status=529, outcome=Outcome.UPSTREAM_ERROR, chunks=[b"{}"])])
    roll_up_all()
    page = start(admin)
    for address in ("/d/requests/", "/d/errors/", "/d/usage/", "/d/models/", "/d/quota/", "/d/health/"):
        assert f'href="{address}"' in page, address
    assert f'href="/d/r/{RequestLog.objects.get().id}/"' in page
    assert "1 accepted" not in page, "the spool of the tests holds nothing"
    assert "accepted =" in page


def test_the_account_in_most_danger_stands_there(admin: Client) -> None:
    now = datetime.now(UTC)
    told = [
        ("anthropic-organization-id", "org-1"),
        ("anthropic-ratelimit-unified-5h-utilization", "0.93"),
        ("anthropic-ratelimit-unified-5h-reset", str(int((now + timedelta(hours=2)).timestamp()))),
    ]
    keep([Sample(REQUEST, response_headers=told)])
    page = start(admin)
    assert "5h window" in page
    assert "93 %" in page


def test_it_costs_a_fixed_number_of_queries(admin: Client) -> None:
    keep([Sample(REQUEST)])
    with CaptureQueriesContext(connection) as few:
        start(admin)
    keep([Sample(REQUEST) for _ in range(8)])
    with CaptureQueriesContext(connection) as full:
        start(admin)
    assert len(full) == len(few) <= 16


def test_the_sidebar_shows_what_one_may_see(admin: Client) -> None:
    page = start(admin)
    assert 'href="/admin/gateway/requestlog/"' in page
    assert 'href="/admin/gateway/deadletter/"' in page
    other = Client()
    other.force_login(User.objects.create_user("staff", password="x", is_staff=True))
    assert 'href="/admin/gateway/requestlog/"' not in start(other)
    assert "Last 24 hours" not in start(other)
