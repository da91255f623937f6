"""The admin's first page, and its sidebar."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard import start_page
from gateway.dialects.names import Outcome
from gateway.history.visibility import EVERYTHING
from tests.exchanges import Sample, keep

pytestmark = pytest.mark.django_db

REQUEST = {"model": "claude-opus-5-5", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin", "admin@example.com", "secret"))
    return client


def start(client: Client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return response.content.decode()


def test_an_empty_history_teaches_how_to_connect(admin: Client) -> None:
    page = html.unescape(start(admin))
    assert "export ANTHROPIC_BASE_URL=http://testserver" in page
    assert 'base_url = "http://testserver/v1"' in page


def test_it_sums_the_last_day_and_not_the_day_before() -> None:
    now = datetime.now(UTC)
    keep(
        [
            Sample(REQUEST),
            Sample(REQUEST, status=529, outcome=Outcome.UPSTREAM_ERROR, chunks=[b"{}"]),
            Sample(REQUEST, at=now - timedelta(hours=25)),
        ]
    )
    day = start_page.last_day(EVERYTHING.requests())
    assert (day["requests"], day["not_completed"], day["input_tokens"]) == (2, 1, 2_864)


def test_unknown_tokens_are_not_summed_to_zero() -> None:
    keep([Sample(REQUEST, chunks=[b"{}"])])
    assert start_page.last_day(EVERYTHING.requests())["input_tokens"] is None


def test_it_sums_no_more_than_its_bound(monkeypatch: pytest.MonkeyPatch, admin: Client) -> None:
    monkeypatch.setattr(start_page, "COUNTED", 3)
    keep([Sample(REQUEST) for _ in range(5)])
    day = start_page.last_day(EVERYTHING.requests())
    assert (day["requests"], day["capped"]) == (3, True)


def test_it_shows_the_newest_requests_and_the_reconciliation(admin: Client) -> None:
    keep([Sample(REQUEST) for _ in range(start_page.ROWS_SHOWN + 3)])
    page = start(admin)
    assert page.count("tl-row-link") == start_page.ROWS_SHOWN
    assert "accepted =" in page


def test_it_costs_a_fixed_number_of_queries(admin: Client) -> None:
    keep([Sample(REQUEST)])
    with CaptureQueriesContext(connection) as few:
        start(admin)
    keep([Sample(REQUEST) for _ in range(8)])
    with CaptureQueriesContext(connection) as full:
        start(admin)
    assert len(full) == len(few) <= 9


def test_the_sidebar_shows_what_one_may_see(admin: Client) -> None:
    page = start(admin)
    assert 'href="/admin/gateway/requestlog/"' in page
    assert 'href="/admin/gateway/deadletter/"' in page
    other = Client()
    other.force_login(User.objects.create_user("staff", password="x", is_staff=True))
    assert 'href="/admin/gateway/requestlog/"' not in start(other)
    assert "Last 24 hours" not in start(other)
